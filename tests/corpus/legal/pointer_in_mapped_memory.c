/* The only pointer to a block stands in a page of mmap. */
#include "../corpus.h"
#include <sys/mman.h>

static char **page;

int main(void) {
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[100] = strdup("kept from a mapping");
    scrub();
    printf("%s\n", page[100]);
}
