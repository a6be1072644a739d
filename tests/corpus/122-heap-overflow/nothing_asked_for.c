/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Writes the first byte of a block of no bytes. */
#include "../corpus.h"
int main(void) {
    char *block = malloc(number(DEFECT(0, 1)));
    if (block == NULL) return 120;
    block[0] = 'x';
    seen(block);
    printf("%c\n", block[0]);
    free(block);
}
