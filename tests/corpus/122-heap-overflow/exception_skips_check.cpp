/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * An exception is caught where the index is not yet reset. */
#include "../corpus.h"
#include <stdexcept>

NOINLINE static void check(size_t index, size_t count) {
    if (index >= count) throw std::out_of_range("index");
}

int main() {
    int64_t *table = new int64_t[16]();
    size_t index = number(16);
    try {
        check(index, 16);
    } catch (const std::out_of_range &) {
        index = DEFECT(index, 15);
    }
    table[index] = -1;
    seen(table);
    printf("%d\n", static_cast<int>(table[0]));
    delete[] table;
}
