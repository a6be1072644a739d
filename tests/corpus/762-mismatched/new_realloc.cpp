/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Grows an array of new[] by realloc. */
#include "../corpus.h"
int main() {
    size_t count = number(50);
    uint32_t *values = DEFECT(new uint32_t[count], static_cast<uint32_t *>(malloc(count * 4)));
    for (size_t i = 0; i < count; i++) values[i] = 1;
    values = static_cast<uint32_t *>(realloc(values, 8 * count));
    printf("%u\n", values[49]);
    free(values);
}
