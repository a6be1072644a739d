/* Asks for blocks of every alignment by each function that there is. */
#include "../corpus.h"
#include <malloc.h>

int main(void) {
    int wrong = 0;
    for (size_t alignment = 8; alignment <= 1 << 16; alignment *= 2)
        for (size_t size = 1; size < 40000; size = size * 4 + alignment) {
            void *blocks[3] = {memalign(alignment, size), aligned_alloc(alignment, (size / alignment + 1) * alignment)};
            if (posix_memalign(&blocks[2], alignment, size) != 0) return 1;
            for (int i = 0; i < 3; i++) {
                wrong += (uintptr_t)blocks[i] % alignment != 0;
                memset(blocks[i], 0x11, size);
                free(blocks[i]);
            }
        }
    char *page = valloc(100), *pages = valloc(8192);
    memset(page, 1, 100);
    memset(pages, 1, 8192);
    wrong += ((uintptr_t)page | (uintptr_t)pages) % 4096 != 0;
    free(page);
    free(pages);
    printf("%d\n", wrong);
}
