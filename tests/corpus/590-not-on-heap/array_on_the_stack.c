/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees an array of the stack. */
#include "../corpus.h"
int main(void) {
    char local[100];
    strcpy(local, "on the stack");
    char *text = DEFECT(local, strdup(local));
    seen(text);
    printf("%s\n", text);
    free(hidden(text));
}
