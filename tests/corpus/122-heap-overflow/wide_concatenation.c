/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Appends to a wide string by wcsncat; the room was counted without the first part. */
#include "../corpus.h"
int main(void) {
    const wchar_t *first = hidden(L"grand"), *second = hidden(L"children");
    size_t room = wcslen(second) + 1 + DEFECT(0, wcslen(first));
    wchar_t *both = malloc(room * sizeof *both);
    both[0] = 0;
    wcsncat(both, first, 5);
    wcsncat(both, second, 8);
    printf("%zu\n", wcslen(both));
    free(both);
}
