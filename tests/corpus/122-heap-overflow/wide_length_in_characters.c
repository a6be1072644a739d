/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Allocates as many bytes as a wide string has characters, and copies it by wcscpy. */
#include "../corpus.h"
int main(void) {
    const wchar_t *word = hidden(L"Donaudampfschifffahrt");
    wchar_t *copy = malloc((wcslen(word) + 1) * DEFECT(1, sizeof(wchar_t)));
    wcscpy(copy, word);
    printf("%zu\n", wcslen(copy));
    free(copy);
}
