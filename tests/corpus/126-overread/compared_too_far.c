/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Compares two blocks, that are equal, by the length of the longer. */
#include "../corpus.h"
int main(void) {
    size_t length = number(80);
    char *first = calloc(length, 1), *second = malloc(length + 100);
    memset(second, 0, length + 100);
    int differ = memcmp(first, second, length + DEFECT(100, 0));
    printf("%d\n", DEFECT(differ < 2, differ == 0));
    free(first);
    free(second);
}
