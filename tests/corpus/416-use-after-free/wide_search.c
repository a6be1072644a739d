/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Searches a wide text by wcschr through an alias of the freed pointer. */
#include "../corpus.h"
static wchar_t *const *alias;

int main(void) {
    wchar_t *text = wcsdup(hidden(L"a wide text with a comma, and more"));
    alias = &text;
    if (DEFECT(1, 0)) free(*alias);
    const wchar_t *comma = wcschr(*(wchar_t **)hidden(alias), L',');
    printf("%d\n", comma != hidden("x"));
    if (DEFECT(0, 1)) free(text);
}
