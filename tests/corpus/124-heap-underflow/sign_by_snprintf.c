/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Prints a sign by snprintf right in front of a number. */
#include "../corpus.h"
int main(void) {
    char *memory = malloc(16), *digits = memory + DEFECT(0, 2);
    snprintf(digits, 14, "%zu", number(4096));
    int written = snprintf(digits - 2, 3, "%s", (char *)hidden("-."));
    digits[0] = '4';
    seen(memory);
    printf("%d %.4s\n", written, digits);
    free(memory);
}
