/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Sifts up in a binary heap that is counted from 1 and stored from 0. */
#include "../corpus.h"
NOINLINE static size_t sift_up(uint64_t *heap, size_t at) {
    while (at > 0 && heap[(ptrdiff_t)(DEFECT(at / 2, (at + 1) / 2)) - 1] > heap[at]) at /= 2;
    return at;
}

int main(void) {
    size_t count = number(6);
    uint64_t *heap = malloc(count * sizeof *heap);
    for (size_t i = 0; i < count; i++) heap[i] = 100 - i;
    printf("%d\n", sift_up(heap, 4) < 5);
    free(heap);
}
