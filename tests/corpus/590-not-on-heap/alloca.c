/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees what alloca gave, in another function. */
#include "../corpus.h"
#include <alloca.h>

NOINLINE static void consume(int *values) {
    printf("%d\n", values[3]);
    free(hidden(values));
}

int main(void) {
    size_t bytes = number(40) * sizeof(int);
    int *values = DEFECT(alloca(bytes), malloc(bytes));
    for (int i = 0; i < 40; i++) values[i] = i;
    consume(values);
}
