/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * An iterator is set back past the beginning of a vector and written to. */
#include "../corpus.h"
#include <vector>

int main() {
    std::vector<int64_t> values(number(14), 1);
    auto at = values.begin() + 3;
    for (size_t steps = number(DEFECT(4, 3)); steps > 0; --steps) *--at = 5;
    seen(values.data());
    printf("%d\n", static_cast<int>(values[13]));
}
