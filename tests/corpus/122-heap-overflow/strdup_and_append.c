/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Appends to a string that strdup made. */
#include "../corpus.h"
int main(void) {
    char *name = strdup(hidden("corpus-report.2026.txt"));
#ifdef FIXED
    name = realloc(name, strlen(name) + sizeof ".bak");
#endif
    strcat(name, hidden(".bak"));
    printf("%s\n", name);
    free(name);
}
