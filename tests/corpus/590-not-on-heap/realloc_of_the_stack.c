/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Grows by realloc a buffer that began on the stack. */
#include "../corpus.h"
int main(void) {
    char first[8] = "begin", *buffer = first;
    size_t room = sizeof first;
    if (number(100) > room) {
#ifdef FIXED
        buffer = memcpy(malloc(100), first, sizeof first);
#else
        buffer = realloc(hidden(first), 100);
#endif
        if (buffer == NULL) return 120;
    }
    strcat(buffer, " and go on");
    printf("%s\n", buffer);
    if (buffer != first) free(buffer);
}
