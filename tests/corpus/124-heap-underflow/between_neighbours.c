/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * One of forty blocks in a row that all live is written in front; all are freed from the last
 * on. */
#include "../corpus.h"
int main(void) {
    uint16_t *rows[40];
    for (int i = 0; i < 40; i++) rows[i] = calloc(24, sizeof(uint16_t));
    uint16_t *row = rows[number(21)];
    for (uint16_t *cell = row + 23; cell >= row - DEFECT(1, 0); cell--) *cell = 0x0101;
    seen(row);
    printf("%u\n", rows[21][3]);
    for (int i = 40; i-- > 0;) free(rows[i]);
}
