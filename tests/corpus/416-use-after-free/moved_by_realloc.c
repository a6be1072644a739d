/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * Keeps a pointer into an array over a realloc that moves it, and writes by it. */
#include "../corpus.h"
int main(void) {
    size_t count = number(20);
    uint32_t *array = calloc(count, sizeof *array), *last = &array[count - 1];
    void *barrier = malloc(10);
    array = realloc(array, 5000 * sizeof *array);
#ifdef FIXED
    last = &array[count - 1];
#endif
    *last = 20;
    seen(last);
    printf("%d\n", array[0]);
    free(barrier);
    free(array);
}
