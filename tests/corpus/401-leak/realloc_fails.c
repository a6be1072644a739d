/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Stores what realloc returns in the pointer to the old block, and it returns NULL. */
#include "../corpus.h"
static char *text;

NOINLINE static int grow(size_t size) {
#ifdef FIXED
    char *larger = realloc(text, size);
    if (larger == NULL) return 0;
    text = larger;
#else
    text = realloc(text, size);
#endif
    return text != NULL;
}

int main(void) {
    text = malloc(500);
    int grown = grow(number(SIZE_MAX / 4));
    scrub();
    printf("%d\n", grown);
    free(text);
    text = NULL;
}
