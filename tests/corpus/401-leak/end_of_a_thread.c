/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * A thread ends, and the only pointer to its buffer was on its stack. */
#include "../corpus.h"
static void work(void *result) {
    int *scratch = malloc(1000 * sizeof *scratch);
    for (int i = 0; i < 1000; i++) scratch[i] = i;
    seen(scratch);
    *(int *)result += scratch[999];
    if (DEFECT(0, 1)) free(scratch);
    scratch = NULL;
    scrub();
}

int main(void) {
    int result = 0;
    for (int i = 0; i < 8; i++) in_thread(work, &result);
    printf("%d\n", result);
}
