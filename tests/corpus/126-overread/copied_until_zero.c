/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Copies by strcpy from a block without a zero into one with plenty of room. */
#include "../corpus.h"
int main(void) {
    size_t length = number(16);
    char *source = malloc(length), *target = calloc(1, 4096);
    for (size_t i = 0; i < length; i++) source[i] = 'a';
#ifdef FIXED
    source[length - 1] = 0;
#endif
    strcpy(target, hidden(source));
    printf("%.9s\n", target);
    free(target);
    free(source);
}
