/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Reads a word by sscanf without a width. */
#include "../corpus.h"
int main(void) {
    const char *input = hidden("incomprehensibilities are long");
    char *word = malloc(16);
    int read = sscanf(input, DEFECT("%s", "%15s"), word);
    printf("%d %.5s\n", read, word);
    free(word);
}
