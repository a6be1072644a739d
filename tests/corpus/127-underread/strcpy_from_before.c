/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Copies a text by strcpy from where a sign would stand, had there been one. */
#include "../corpus.h"
int main(void) {
    char *text = strdup(hidden("2048 and some")), copy[400];
    const char *from = text;
    if (DEFECT(number(1), 0)) from -= 4;
    strcpy(copy, from);
    printf("%d\n", strlen(copy) < 390);
    free(text);
}
