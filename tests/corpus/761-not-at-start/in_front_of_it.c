/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Believes that blocks have a header in front, and frees from there on. */
#include "../corpus.h"
static void release(void *counted) {
    long *block = (long *)counted - 2;
    free(hidden(block));
}

int main(void) {
    char *text = malloc(number(90));
    strcpy(text, "plain");
    printf("%s\n", text);
    (DEFECT(release, free))(text);
}
