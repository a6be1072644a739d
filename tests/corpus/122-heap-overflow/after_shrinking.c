/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Shrinks a block by realloc and writes its old last element. */
#include "../corpus.h"
int main(void) {
    size_t count = number(90);
    short *samples = calloc(count, sizeof *samples);
    samples = realloc(samples, count / 3 * sizeof *samples);
    samples[DEFECT(count, count / 3) - 1] = 7;
    seen(samples);
    printf("%d\n", samples[0]);
    free(samples);
}
