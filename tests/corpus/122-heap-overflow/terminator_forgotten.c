/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Copies a name into a block of its length, without room for the terminator. */
#include "../corpus.h"
int main(void) {
    const char *name = hidden("Ada Lovelace the first");
    char *copy = malloc(DEFECT(strlen(name), strlen(name) + 1));
    strcpy(copy, name);
    printf("%s\n", copy);
    free(copy);
}
