/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Scales 100 000 bytes as words, and one word too many. */
#include "../corpus.h"
int main(void) {
    size_t bytes = number(100000);
    uint32_t *sound = calloc(1, bytes), *end = sound + bytes / sizeof *sound;
    for (uint32_t *word = sound; DEFECT(word <= end, word < end); ++word) *word = *word * 2 + 1;
    seen(sound);
    printf("%u\n", sound[3]);
    free(sound);
}
