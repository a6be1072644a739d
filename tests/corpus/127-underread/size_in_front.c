/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Reads the size that it believes an allocator keeps in front of each block. */
#include "../corpus.h"
int main(void) {
    size_t *block = malloc(number(256));
    block[0] = 272;
    seen(block);
    size_t size = block[DEFECT(-1, 0)];
    printf("%d\n", size != 12345);
    free(block);
}
