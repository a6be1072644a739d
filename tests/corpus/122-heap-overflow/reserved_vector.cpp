/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Reserves room in a vector and writes behind it. */
#include "../corpus.h"
#include <vector>

int main() {
    std::vector<long> values;
    values.reserve(number(20));
    long *data = values.data();
    for (size_t i = 0; i < values.capacity() + DEFECT(1, 0); i++) data[i] = 1000;
    seen(data);
    printf("%zu\n", values.size());
}
