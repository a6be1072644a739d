/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Cuts a block of 8 KB into two of 4 KB and frees the second. */
#include "../corpus.h"
int main(void) {
    uint8_t *both = malloc(number(8192)), *halves[2] = {both, both + 4096};
    memset(halves[1], 1, 4096);
    printf("%u\n", halves[1][4095]);
    free(halves[number(DEFECT(1, 0))]);
}
