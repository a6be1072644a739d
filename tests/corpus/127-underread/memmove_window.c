/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * A window over 8 KB of history begins before there is any history. */
#include "../corpus.h"
int main(void) {
    size_t length = number(8192), at = number(100), window = 256;
    char *history = calloc(length, 1), *view = malloc(2 * window);
    size_t from = DEFECT(at - window, at > window ? at - window : 0);
    memmove(view, history + (ptrdiff_t)from, window);
    printf("%d\n", view[window - 1]);
    free(view);
    free(history);
}
