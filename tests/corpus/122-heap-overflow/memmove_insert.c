/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Makes room in the middle of an array that is full, by memmove. */
#include "../corpus.h"
int main(void) {
    size_t room = number(DEFECT(8, 9)), used = number(8);
    long *sorted = malloc(room * sizeof *sorted);
    for (size_t i = 0; i < used; i++) sorted[i] = (long)i * 10;
    memmove(sorted + 4, sorted + 3, (used - 3) * sizeof *sorted);
    sorted[3] = 25;
    seen(sorted);
    printf("%ld %ld\n", sorted[3], sorted[7]);
    free(sorted);
}
