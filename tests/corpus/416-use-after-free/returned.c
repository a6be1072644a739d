/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Returns a reversed text in a buffer that it has freed before. */
#include "../corpus.h"
NOINLINE static char *reverse(const char *text) {
    size_t length = strlen(text);
    char *reversed = malloc(length + 1);
    for (size_t i = 0; i < length; i++) reversed[i] = text[length - 1 - i];
    reversed[length] = 0;
    seen(reversed);
    if (DEFECT(1, 0)) free(reversed);
    return hidden(reversed);
}

int main(void) {
    char *text = reverse(hidden("desserts"));
    printf("%d\n", text[3] != 'q');
    if (DEFECT(0, 1)) free(text);
}
