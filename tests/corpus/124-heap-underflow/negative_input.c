/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * An index from the input is only checked for being too large. */
#include "../corpus.h"
int main(void) {
    int index = (int)strtol(hidden("-2"), NULL, 10);
    int64_t *histogram = calloc(20, sizeof *histogram);
    if (index < 20 && DEFECT(1, index >= 0)) histogram[index] = 77;
    seen(histogram);
    printf("%d\n", (int)histogram[0]);
    free(histogram);
}
