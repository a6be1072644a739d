/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Has pages by aligned_alloc where there are none to map, and gives them all back by munmap. */
#include "../corpus.h"
#include <sys/mman.h>
int main(void) {
    size_t size = number(8192);
    char *pages = aligned_alloc(4096, size);
    memset(pages, 1, size);
    printf("%u\n", sum(pages, size));
    if (DEFECT(1, 0)) munmap(hidden(pages), size);
    if (DEFECT(1, 0)) printf("%u\n", sum(pages, 1));
    if (DEFECT(0, 1)) free(pages);
}
