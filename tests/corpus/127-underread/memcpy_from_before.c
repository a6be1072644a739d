/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Copies from eight bytes in front of a block. */
#include "../corpus.h"
int main(void) {
    char *block = malloc(100), target[100];
    memset(block, 'b', 100);
    char *data = block - number(DEFECT(8, 0));
    memcpy(target, data, sizeof target);
    seen(target);
    printf("%c\n", target[50]);
    free(block);
}
