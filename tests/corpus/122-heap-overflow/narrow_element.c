/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Allocates an array of int and writes it as one of int64_t, from a global array. */
#include "../corpus.h"
int64_t table[60];

static void store(int64_t *target, size_t count) {
    for (size_t i = 0; i < count; i++) target[i] = table[i];
}

int main(void) {
    size_t count = number(60);
    table[59] = 59;
    void *copy = malloc(count * DEFECT(sizeof(int), sizeof(int64_t)));
    store(copy, count);
    seen(copy);
    printf("%zu\n", count);
    free(copy);
}
