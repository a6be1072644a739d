/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Copies wide characters by wmemcpy from in front of their block. */
#include "../corpus.h"
int main(void) {
    wchar_t *word = malloc(20 * sizeof *word), copy[20];
    wmemset(word, L'w', 20);
    wmemcpy(copy, word - number(DEFECT(5, 0)), 20);
    printf("%d\n", copy[12] == L'w');
    free(word);
}
