/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the static buffer in which a function returns its result. */
#include "../corpus.h"
NOINLINE static char *to_text(long value) {
#ifdef FIXED
    char *buffer = malloc(32);
#else
    static char buffer[32];
#endif
    snprintf(buffer, 32, "%ld", value);
    return buffer;
}

int main(void) {
    char *text = to_text((long)number(1234));
    printf("%s\n", text);
    free(hidden(text));
}
