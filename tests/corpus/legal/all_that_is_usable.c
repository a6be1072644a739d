/* Writes as many bytes as malloc_usable_size says that a block has. */
#include "../corpus.h"
#include <malloc.h>

int main(void) {
    void *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        size_t size = i < 150 ? i * 13 : i * 997;
        blocks[i] = i % 3 == 0 ? calloc(1, size) : malloc(size);
        size_t usable = malloc_usable_size(blocks[i]);
        if (usable < size) return 1;
        memset(blocks[i], (int)i, usable);
    }
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = realloc(blocks[i], i * 17 + 1);
        memset(blocks[i], 1, malloc_usable_size(blocks[i]));
    }
    for (size_t i = 200; i-- > 0;) free(blocks[i]);
    printf("%zu\n", malloc_usable_size(NULL));
}
