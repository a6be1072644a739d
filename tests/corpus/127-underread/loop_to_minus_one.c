/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * A search from the end for a value that is not there ends one element too late. */
#include "../corpus.h"
int main(void) {
    int count = (int)number(40), at = count - 1, wanted = -7;
    int *values = calloc((size_t)count, sizeof *values);
    while (at >= DEFECT(-1, 0) && values[at] != wanted) at--;
    printf("%d\n", at < 0);
    free(values);
}
