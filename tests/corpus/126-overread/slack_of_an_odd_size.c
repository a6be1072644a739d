/* CWE: 126
 * Kinds: heap-overflow
 * Found: exact
 *
 * Reads the one byte behind a block of 13: aligned as malloc promises, it does not end at a page's
 * end, and no function of libc is called. */
#include "../corpus.h"
int main(void) {
    volatile char *block = malloc(number(13));
    block[12] = 'x';
    char behind = block[DEFECT(13, 12)];
    printf("%d\n", behind != 1);
    free((void *)block);
}
