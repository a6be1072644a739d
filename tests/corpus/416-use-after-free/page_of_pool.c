/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * Counts a reference down in a page of 8 KB that has been dropped with the last one. */
#include "../corpus.h"
struct page {
    int references;
    char bytes[8000];
};

NOINLINE static void put(struct page *page) {
    if (page->references == 1) free(DEFECT(page, NULL));
    ((struct page *)hidden(page))->references--;
}

int main(void) {
    struct page *page = calloc(1, sizeof *page);
    page->references = (int)number(1);
    put(page);
    printf("put\n");
    if (DEFECT(0, 1)) free(page);
}
