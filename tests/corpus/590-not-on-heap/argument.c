/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the name of the program, which stands among its arguments. */
#include "../corpus.h"
int main(int count, char **arguments) {
    char *name = arguments[0];
#ifdef FIXED
    name = malloc(strlen(arguments[0]) + 1);
    strcpy(name, arguments[0]);
#endif
    printf("%d\n", count);
    free(hidden(name));
}
