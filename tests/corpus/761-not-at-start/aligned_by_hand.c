/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Aligns a block by hand and frees the aligned address. */
#include "../corpus.h"
int main(void) {
    char *memory = malloc(number(1000) + 512);
    uintptr_t aligned = ((uintptr_t)memory + 16 + 255) & ~(uintptr_t)255;
    char *vectors = (char *)aligned;
    memset(vectors, 0, 700);
    printf("%d\n", vectors[20]);
    free(DEFECT(vectors, memory));
}
