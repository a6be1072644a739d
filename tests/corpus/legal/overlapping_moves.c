/* Moves parts of a block over one another, to its very first and last byte. */
#include "../corpus.h"
int main(void) {
    size_t size = number(3000);
    unsigned char *block = malloc(size);
    for (size_t i = 0; i < size; i++) block[i] = (unsigned char)i;
    memmove(block + 1, block, size - 1);
    memmove(block, block + 1, size - 1);
    memmove(block + size - 100, block, 100);
    memmove(block, block + size - 50, 50);
    printf("%u\n", sum(block, size));
    free(block);
}
