/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Shifts the words of the first block of 5000 bytes of the program to the front, the first one
 * as well. */
#include "../corpus.h"
int main(void) {
    int64_t *block = calloc(1, number(5000));
    for (int64_t *word = block + DEFECT(0, 1); word < block + 625; word++) word[-1] = *word + 5;
    seen(block);
    printf("%d\n", (int)block[9]);
    free(block);
}
