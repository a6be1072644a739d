/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Between the two frees a block of the same size is allocated, which many allocators make of
 * the same memory. */
#include "../corpus.h"
int main(void) {
    char *first = malloc(56);
    memset(first, '1', 56);
    seen(first);
    free(first);
    char *second = malloc(56);
    memset(second, '2', 56);
    free(DEFECT(hidden(first), NULL));
    printf("%d\n", second != hidden(NULL));
    free(DEFECT(NULL, second));
}
