/* Copies and hashes structures with padding and members that were never written, as whole. */
#include "../corpus.h"
struct sparse {
    char kind;
    double value;
    char note[50];
};

int main(void) {
    struct sparse *first = malloc(sizeof *first), *second = malloc(sizeof *second);
    first->kind = 'k';
    first->value = 1.25;
    *second = *first;
    memcpy(first, second, sizeof *first);
    free(first);
    printf("%c %.2f\n", second->kind, second->value);
    free(second);
}
