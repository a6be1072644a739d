/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * A deleter that is chosen at run time is the one for wide texts of new[], and this one is of
 * wcsdup. */
#include "../corpus.h"
static void by_delete(wchar_t *text) { delete[] text; }
static void by_free(wchar_t *text) { free(text); }

int main() {
    void (*const deleters[])(wchar_t *) = {by_delete, by_free};
    wchar_t *text = wcsdup(static_cast<wchar_t *>(hidden(L"wide")));
    printf("%zu\n", wcslen(text));
    deleters[number(DEFECT(0, 1))](text);
}
