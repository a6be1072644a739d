/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Has qsort sort one element more than there is. */
#include "../corpus.h"
static int descending(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

int main(void) {
    size_t count = number(64);
    int64_t *scores = malloc(count * sizeof *scores);
    for (size_t i = 0; i < count; i++) scores[i] = INT64_MIN + (int64_t)i;
    qsort(scores, count + DEFECT(1, 0), sizeof *scores, descending);
    printf("%d\n", scores[0] > scores[3]);
    free(scores);
}
