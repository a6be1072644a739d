/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Has one element more put in order than the block has. What stands behind is the least and comes last: not a
 * byte of it changes. */
#include "../corpus.h"
static int falling(const void *a, const void *b) {
    int one = *(const int *)a, other = *(const int *)b;
    return (one < other) - (one > other);
}

int main(void) {
    size_t count = number(20);
    int *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) values[i] = (int)(i * 7 % 20);
    qsort(values, DEFECT(count + 1, count), sizeof *values, falling);
    printf("%d\n", values[0]);
    free(values);
}
