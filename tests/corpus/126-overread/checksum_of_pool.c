/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * The checksum of a page of 4 KB also runs over the checksum that should stand behind it. */
#include "../corpus.h"
static uint32_t rotate(uint32_t sum, const uint8_t *from, const uint8_t *to) {
    while (from < to) sum = (sum << 1 | sum >> 31) ^ *from++;
    return sum;
}

int main(void) {
    size_t page = number(4096);
    uint8_t *block = calloc(page, 1);
    uint32_t sum = rotate(1, block, block + page + DEFECT(sizeof sum, 0));
    printf("%d\n", sum != 0);
    free(block);
}
