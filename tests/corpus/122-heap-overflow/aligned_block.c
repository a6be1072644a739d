/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A block aligned to a cache line is treated as if its size were rounded to one. */
#include "../corpus.h"
int main(void) {
    size_t size = number(200), lines = DEFECT((size + 63) / 64, size / 64);
    unsigned char *block = NULL;
    if (posix_memalign((void **)&block, 64, size) != 0) return 120;
    for (size_t line = 0; line < lines; line++)
        for (size_t i = 0; i < 64; i++) block[line * 64 + i] = (unsigned char)line;
    seen(block);
    printf("%u\n", block[64]);
    free(block);
}
