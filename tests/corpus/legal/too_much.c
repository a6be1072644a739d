/* Asks for more than there can be, is told so, and still has its old block. */
#include "../corpus.h"
#include <errno.h>
#include <malloc.h>

int main(void) {
    char *block = strdup("still here");
    size_t much = number(SIZE_MAX / 4), half = number(SIZE_MAX / 8);
    int refused = malloc(much) == NULL;
    refused += calloc(half, 100) == NULL;
    refused += realloc(block, much) == NULL;
    refused += reallocarray(block, half, 64) == NULL;
    refused += aligned_alloc(4096, much) == NULL;
    void *aligned = NULL;
    refused += posix_memalign(&aligned, 64, much) != 0;
    printf("%d %s\n", refused, block);
    free(block);
}
