/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Compares each element with its predecessor, beginning with the first. */
#include "../corpus.h"
#include <vector>

int main() {
    std::vector<int> values(number(100), 3);
    int equal = 0;
    for (auto at = values.cbegin() + DEFECT(0, 1); at != values.cend(); ++at) equal += *at == *(at - 1);
    printf("%d\n", equal >= 99);
}
