/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Frees the elements of a vector that never gets to do that itself. */
#include "../corpus.h"
#include <new>
#include <vector>

int main() {
    alignas(std::vector<int>) char memory[sizeof(std::vector<int>)];
    auto *values = new (memory) std::vector<int>(number(100), 4);
    printf("%d\n", (*values)[99]);
    if (DEFECT(true, false))
        free(hidden(values->data()));
    else
        values->~vector();
}
