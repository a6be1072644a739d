/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * An exception leaves a function between new and delete. */
#include "../corpus.h"
#include <memory>
#include <stdexcept>

NOINLINE static void check(int value) {
    if (value % 3 == 0) throw std::runtime_error("a multiple of three");
}

NOINLINE static void work(int value) {
#ifdef FIXED
    std::unique_ptr<char[]> buffer(new char[700]);
    buffer[0] = 1;
    seen(buffer.get());
    check(value);
#else
    char *buffer = new char[700];
    buffer[0] = 1;
    seen(buffer);
    check(value);
    delete[] buffer;
#endif
}

int main() {
    int caught = 0;
    for (int i = 0; i < 30; i++) {
        try {
            work(i);
        } catch (const std::runtime_error &) {
            caught++;
        }
    }
    scrub();
    printf("%d\n", caught);
}
