/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Believes that an allocator rounds sizes to 16, and uses what it would have added. */
#include "../corpus.h"
int main(void) {
    size_t size = number(100);
    size_t usable = DEFECT((size + 15) & ~(size_t)15, size);
    char *block = malloc(size);
    for (size_t i = size - 4; i < usable; i += 4) *(int32_t *)(block + i) = -1;
    seen(block);
    printf("%d\n", block[97]);
    free(block);
}
