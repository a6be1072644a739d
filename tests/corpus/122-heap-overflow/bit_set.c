/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A set of bits is rounded down to whole bytes. */
#include "../corpus.h"
NOINLINE static void set(uint8_t *bits, size_t bit) { bits[bit >> 3] |= (uint8_t)(1 << (bit & 7)); }

int main(void) {
    size_t members = number(195);
    uint8_t *bits = calloc(DEFECT(members / 8, (members + 7) / 8), 1);
    for (size_t prime = 2; prime < members; prime += 2) set(bits, prime);
    printf("%d\n", bits[0]);
    free(bits);
}
