/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Prints a number into a block that has room for small numbers only. */
#include "../corpus.h"
int main(void) {
    char *text = malloc(number(8));
    long value = (long)number(DEFECT(12345678901, 1234567));
    sprintf(text, "%ld", value);
    printf("%s\n", text);
    free(text);
}
