/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Frees a block, and at the end of the function again. */
#include "../corpus.h"
int main(void) {
    char *text = malloc(number(24));
    strcpy(text, "used once");
    printf("%s\n", text);
    free(text);
    free(DEFECT(hidden(text), NULL));
}
