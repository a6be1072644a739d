/* Fills blocks with each value of a byte before it frees them, and allocates again. */
#include "../corpus.h"
int main(void) {
    for (int value = 0; value < 256; value++)
        for (size_t size = 8; size < 3000; size = size * 2 + 3) {
            unsigned char *block = malloc(size), *next = malloc(size);
            memset(block, value, size);
            memset(next, value ^ 0xff, size);
            seen(block);
            free(block);
            seen(next);
            free(next);
        }
    printf("filled\n");
}
