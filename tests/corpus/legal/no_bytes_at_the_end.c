/* Copies, compares and fills no bytes at the address behind the last byte of a block. */
#include "../corpus.h"
int main(void) {
    size_t size = number(64), none = number(0);
    char *first = calloc(1, size), *second = calloc(1, size);
    memcpy(first + size, second + size, none);
    memmove(second + size, first, none);
    memset(first + size, 1, none);
    int equal = memcmp(first + size, second + size, none) == 0;
    equal += fwrite(first + size, 1, none, stdout) == 0;
    equal += memchr(second + size, 'x', none) == NULL;
    printf("%d\n", equal);
    free(first), free(second);
}
