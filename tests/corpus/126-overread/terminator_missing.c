/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Measures a text of 32 characters that strncpy has left without a terminator. */
#include "../corpus.h"
int main(void) {
    char *text = malloc(32);
    strncpy(text, hidden("thirty-two characters and no end to them"), 32);
    if (DEFECT(0, 1)) text[31] = 0;
    printf("%d\n", strlen(hidden(text)) > 30);
    free(text);
}
