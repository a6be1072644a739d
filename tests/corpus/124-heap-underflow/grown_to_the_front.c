/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * After realloc the data should have moved to the back of the block; it is extended to the
 * front at once. */
#include "../corpus.h"
int main(void) {
    size_t used = number(16);
    char *text = malloc(used);
    memset(text, 't', used);
    text = realloc(text, 2 * used);
    char *start = text;
#ifdef FIXED
    start = memmove(text + used, text, used);
#endif
    for (int i = 0; i < 3; i++) *--start = 'f';
    seen(text);
    printf("%c\n", *start);
    free(text);
}
