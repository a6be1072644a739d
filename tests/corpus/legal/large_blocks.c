/* Allocates, moves and frees blocks of up to 40 MB and touches their ends. */
#include "../corpus.h"
int main(void) {
    unsigned char *blocks[8];
    for (size_t i = 0; i < 8; i++) {
        size_t size = (i + 1) * 5000001;
        blocks[i] = malloc(size);
        blocks[i][0] = blocks[i][size - 1] = (unsigned char)i;
    }
    for (size_t i = 0; i < 8; i += 2) {
        blocks[i] = realloc(blocks[i], 33333);
        blocks[i][33332] = 1;
    }
    unsigned total = 0;
    for (size_t i = 1; i < 8; i += 2) {
        blocks[i] = realloc(blocks[i], (i + 2) * 5000001);
        total += blocks[i][0] + blocks[i][(i + 1) * 5000001 - 1];
    }
    for (size_t i = 0; i < 8; i++) free(blocks[i]);
    printf("%u\n", total);
}
