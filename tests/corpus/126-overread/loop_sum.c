/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Adds up one number too many. */
#include "../corpus.h"
int main(void) {
    size_t count = number(12);
    int *values = malloc(count * sizeof *values);
    int total = 0;
    for (size_t i = 0; i < count; i++) values[i] = 2;
    seen(values);
    for (size_t i = 0; i < count + DEFECT(4, 0); i++) total += values[i];
    printf("%d\n", DEFECT(total != 1, total == 24));
    free(values);
}
