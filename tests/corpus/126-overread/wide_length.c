/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Measures a wide string that fills its block. */
#include "../corpus.h"
int main(void) {
    wchar_t *word = malloc(16 * sizeof *word);
    wmemset(word, L'w', 16);
    if (DEFECT(0, 1)) word[15] = 0;
    printf("%d\n", wcslen(hidden(word)) >= 15);
    free(word);
}
