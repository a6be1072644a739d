/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Sums a block over the length that it had before it was shrunk. */
#include "../corpus.h"
int main(void) {
    size_t length = number(640);
    char *block = calloc(length, 1);
    block = realloc(block, length / 4);
    unsigned total = sum(block, DEFECT(length, length / 4));
    printf("%d\n", total < 100000000);
    free(block);
}
