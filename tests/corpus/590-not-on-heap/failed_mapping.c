/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the value by which a function says that it has failed. */
#include "../corpus.h"
#define FAILED ((void *)-1)

NOINLINE static void *reserve(size_t size) {
    if (size > 1000) return FAILED;
    return malloc(size);
}

int main(void) {
    void *block = reserve(number(2000));
    printf("%d\n", block == FAILED);
    if (DEFECT(block != NULL, block != NULL && block != FAILED)) free(block);
}
