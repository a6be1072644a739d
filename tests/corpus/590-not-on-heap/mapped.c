/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees a page that mmap gave. */
#include "../corpus.h"
#include <sys/mman.h>

int main(void) {
    size_t size = number(8192);
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 120;
    memset(page, 'p', size);
    printf("%c\n", page[5000]);
#ifdef FIXED
    munmap(page, size);
#else
    free(page);
#endif
}
