/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A table that lives as long as the program is written in front of its start. */
#include "../corpus.h"
static short *table;

NOINLINE static void note(int sign) { table[sign * 2 + DEFECT(1, 2)] = 1; }

int main(void) {
    table = calloc(64, sizeof *table);
    note((int)number(1));
    note(-(int)number(1));
    printf("%d\n", table[DEFECT(3, 4)]);
    return 0;
}
