/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Objects made by new in a loop are used and forgotten. */
#include "../corpus.h"
struct Counter {
    virtual ~Counter() = default;
    NOINLINE virtual int64_t count(int64_t upto) { return total += upto; }
    int64_t total = 0, spare[9] = {};
};

NOINLINE static int64_t run() {
    int64_t total = 0;
    for (int i = 0; i < 15; i++) {
        Counter *counter = static_cast<Counter *>(hidden(new Counter));
        total += counter->count(i);
        if (DEFECT(false, true)) delete counter;
    }
    return total;
}

int main() {
    int64_t total = run();
    scrub();
    printf("%d\n", static_cast<int>(total));
}
