/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Block and length are globals; the length is raised and the block is not. */
#include "../corpus.h"
static int *readings;
static size_t capacity = 12;

NOINLINE static void expect(size_t more) {
    capacity += more;
#ifdef FIXED
    readings = realloc(readings, capacity * sizeof *readings);
#endif
}

NOINLINE static void take(int value) {
    for (size_t i = 0; i < capacity; i++) readings[i] = value;
}

int main(void) {
    readings = malloc(capacity * sizeof *readings);
    expect(number(4));
    take(6);
    printf("%d\n", readings[11]);
    free(readings);
    readings = NULL;
}
