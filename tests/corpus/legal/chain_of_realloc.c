/* One block is grown from nothing to megabytes and shrunk to nothing, and keeps what it holds. */
#include "../corpus.h"
int main(void) {
    unsigned char *block = NULL;
    size_t size = 0;
    while (size < 4000000) {
        size_t next = size * 5 / 4 + 7;
        block = realloc(block, next);
        for (size_t i = size; i < next; i++) block[i] = (unsigned char)(i * 31);
        size = next;
    }
    while (size > 10) {
        size = size * 2 / 3;
        block = realloc(block, size);
        if (block[size - 1] != (unsigned char)((size - 1) * 31)) return 1;
    }
    printf("%u\n", block[5]);
    if (realloc(block, 0) != NULL) return 2;
}
