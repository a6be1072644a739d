/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Loses blocks of 10 KB from a table by clearing it, and exits with 7. */
#include "../corpus.h"
static void *table[16];

NOINLINE static void fill(void) {
    for (int i = 0; i < 16; i++) table[i] = calloc(10, 1024);
}

int main(void) {
    fill();
#ifdef FIXED
    for (int i = 0; i < 16; i++) free(table[i]);
#endif
    memset(hidden(table), 0, sizeof table);
    scrub();
    printf("cleared\n");
    exit(7);
}
