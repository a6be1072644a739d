/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A thread allocated and freed the block, and has ended; its result is freed here again. */
#include "../corpus.h"
static void compute(void *result) {
    char *block = malloc(1200);
    memset(block, 'c', 1200);
    *(char **)result = block;
    seen(block);
    if (DEFECT(1, 0)) free(block);
}

int main(void) {
    char *result = NULL;
    in_thread(compute, &result);
    free(hidden(result));
    printf("computed\n");
}
