/* Cuts one block into many objects, up to its last byte, and frees it once. */
#include "../corpus.h"
int main(void) {
    size_t size = number(10007), used = 0, objects = 0;
    char *arena = malloc(size);
    for (size_t length = 1; used + length <= size; length = length % 90 + 1) {
        memset(arena + used, (int)length, length);
        used += length;
        objects++;
    }
    memset(arena + used, 0xff, size - used);
    printf("%zu %u\n", objects, sum(arena, size));
    free(arena);
}
