/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Fills an array of int in a loop that ends one element too late. */
#include "../corpus.h"
int main(void) {
    size_t count = number(25);
    int *squares = malloc(count * sizeof *squares);
    for (size_t i = 0; DEFECT(i <= count, i < count); i++) squares[i] = (int)(i * i);
    seen(squares);
    printf("%d\n", squares[count - 1]);
    free(squares);
}
