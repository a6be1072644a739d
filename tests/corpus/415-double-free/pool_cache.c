/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A cache of pages of 4 KB keeps one twice, and frees all that it keeps. */
#include "../corpus.h"
static void *cache[8];
static size_t cached;

static void keep(void *page) { cache[cached++] = page; }

int main(void) {
    for (int i = 0; i < 5; i++) keep(malloc(4096));
    keep(DEFECT(cache[number(2)], malloc(4096)));
    while (cached > 0) free(cache[--cached]);
    printf("%zu\n", cached);
}
