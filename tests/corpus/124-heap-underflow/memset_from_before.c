/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A pointer is set eight bytes back, and the block filled from there. */
#include "../corpus.h"
int main(void) {
    char *block = malloc(100);
    char *data = block - number(DEFECT(8, 0));
    memset(data, 'A', 99);
    block[99] = 0;
    printf("%.5s\n", block);
    free(block);
}
