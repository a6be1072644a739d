/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * A thread frees the part of a wide text that it was given to print. */
#include "../corpus.h"
static void print_and_free(void *text) {
    printf("%zu\n", wcslen(text));
    if (DEFECT(1, 0)) free(text);
}

int main(void) {
    wchar_t *text = wcsdup(hidden(L"key=value of this key"));
    in_thread(print_and_free, wcschr(text, L'=') + 1);
    free(DEFECT(hidden(NULL), text));
}
