/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Puts dots into a number that asprintf printed, in place. */
#include "../corpus.h"
int main(void) {
    char *text = NULL;
    int length = asprintf(&text, "%zu", number(1234567890123456));
    int dots = (length - 1) / 3;
    if (DEFECT(0, 1)) text = realloc(text, (size_t)(length + dots + 1));
    char *from = text + length, *to = from + dots;
    for (int digit = 0; dots > 0; digit++) {
        *to-- = *from--;
        if (digit % 3 == 0 && digit > 0) *to-- = '.', dots--;
    }
    seen(text);
    printf("%.9s\n", text);
    free(text);
}
