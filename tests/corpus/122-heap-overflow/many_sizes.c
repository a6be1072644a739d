/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Of blocks of every size to 300, freed in another order, one is written past its last byte. */
#include "../corpus.h"
int main(void) {
    unsigned char *blocks[300];
    for (size_t size = 1; size <= 300; size++) {
        blocks[size - 1] = malloc(size);
        memset(blocks[size - 1], (int)size, size + (size == number(229) ? DEFECT(1, 0) : 0));
    }
    printf("%u\n", blocks[99][99]);
    for (size_t step = 0; step < 300; step++) free(blocks[step * 7 % 300]);
}
