/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Asks whether an empty text ends in a slash. */
#include "../corpus.h"
NOINLINE static int ends_in_slash(const char *text) {
    size_t length = strlen(text);
    return DEFECT(1, length > 0) && text[length - 1] == '/';
}

int main(void) {
    char *text = calloc(64, 1);
    printf("%d\n", ends_in_slash(hidden(text)) < 2);
    free(text);
}
