/* Asks mallinfo, mallopt and malloc_trim, and allocates between the questions. */
#include "../corpus.h"
#include <malloc.h>

int main(void) {
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    void *blocks[20];
    for (size_t i = 0; i < 20; i++) blocks[i] = calloc(i + 1, 5000);
    struct mallinfo2 info = mallinfo2();
    for (size_t i = 0; i < 20; i++) free(blocks[i]);
    malloc_trim(0);
    printf("%d\n", info.uordblks < SIZE_MAX);
}
