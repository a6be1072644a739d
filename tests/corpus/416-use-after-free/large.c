/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Sums up a table of 200 KB that a function it calls may have freed. */
#include "../corpus.h"
static uint64_t *table;

NOINLINE static void reload(int changed) {
    if (changed) {
        free(table);
        table = calloc(25600, sizeof *table);
    }
}

int main(void) {
    table = calloc(25600, sizeof *table);
    uint64_t *mine = table, total = 0;
    reload((int)number(1));
#ifdef FIXED
    mine = table;
#endif
    for (size_t i = 0; i < 25600; i += 100) total += mine[i];
    printf("%d\n", total != 1);
    free(table);
}
