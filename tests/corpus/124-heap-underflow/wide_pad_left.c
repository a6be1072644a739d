/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Pads a wide number to the left by wmemset, further than its field. */
#include "../corpus.h"
int main(void) {
    size_t width = number(8), field = DEFECT(6, 8);
    wchar_t *memory = malloc((field + 1) * sizeof *memory);
    wchar_t *last = memory + field;
    wcscpy(last - 4, L"1815");
    wmemset(last - width, L'0', width - 4);
    printf("%d\n", (int)last[-1]);
    free(memory);
}
