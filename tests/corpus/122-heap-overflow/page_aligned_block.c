/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Writes a word behind a page that aligned_alloc gave. */
#include "../corpus.h"
int main(void) {
    uint64_t *page = aligned_alloc(4096, 4096);
    uint64_t *word = page;
    do *word++ = 0xfeed;
    while (word != page + number(DEFECT(513, 512)));
    seen(page);
    printf("%d\n", page[511] == 0xfeed);
    free(page);
}
