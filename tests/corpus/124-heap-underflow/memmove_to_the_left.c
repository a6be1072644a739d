/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Removes the first of a list by moving all, the first too, to the left. */
#include "../corpus.h"
struct entry {
    int key, value;
};

int main(void) {
    size_t count = number(9);
    struct entry *entries = calloc(count, sizeof *entries);
    entries[1].key = 11;
    size_t first = DEFECT(0, 1);
    memmove(entries + first - 1, entries + first, (count - first) * sizeof *entries);
    seen(entries);
    printf("%zu\n", count - 1);
    free(entries);
}
