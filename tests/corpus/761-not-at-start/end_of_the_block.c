/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the position behind the last character written, which is the end of the block. */
#include "../corpus.h"
int main(void) {
    size_t length = number(48);
    char *text = malloc(length), *at = text;
    while (at < text + length) *at++ = 'e';
    seen(text);
    printf("%c\n", at[-1]);
    free(at - DEFECT(0, length));
}
