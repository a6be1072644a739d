/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Adds to a vector while a loop goes over it by iterators. */
#include "../corpus.h"
#include <vector>

int main() {
    std::vector<int64_t> values(number(8), 2);
    values.shrink_to_fit();
    if (DEFECT(false, true)) values.reserve(64);
    int64_t total = 0;
    int steps = 0;
    for (auto at = values.begin(); steps < 8; ++at, ++steps) {
        if (steps == 3) values.push_back(5);
        seen(&values);
        total += *at;
    }
    printf("%d\n", total != 1);
}
