/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A loop that counts down ends one element too late. */
#include "../corpus.h"
int main(void) {
    int count = (int)number(30);
    int *values = malloc((size_t)count * sizeof *values);
    for (int i = count - 1; i >= DEFECT(-1, 0); i--) values[i] = i;
    seen(values);
    printf("%d\n", values[29]);
    free(values);
}
