/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Skips the spaces at the beginning of a text and frees the pointer that has moved. */
#include "../corpus.h"
int main(void) {
    char *text = strdup(hidden("   three spaces in front")), *start = text;
    while (*start == ' ') start++;
    printf("%s\n", start);
    free(DEFECT(start, text));
}
