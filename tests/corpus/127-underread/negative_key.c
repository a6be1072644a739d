/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * A signed character is the index into a table. */
#include "../corpus.h"
int main(void) {
    const signed char *text = hidden("gr\xfc\xdf dich");
    unsigned char *classes = calloc(256, 1);
    unsigned letters = 0;
    for (; *text; text++) letters += classes[DEFECT(*text, (unsigned char)*text)];
    printf("%d\n", letters < 5000);
    free(classes);
}
