/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Searches a sorted table by bisection with a count that another table has. */
#include "../corpus.h"
static int by_value(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

int main(void) {
    uint64_t *table = malloc(10 * sizeof *table), key = 50;
    for (uint64_t i = 0; i < 10; i++) table[i] = i;
    void *found = bsearch(&key, table, number(DEFECT(30, 10)), sizeof key, by_value);
    printf("%d\n", found == table);
    free(table);
}
