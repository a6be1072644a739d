/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Prints a block of 48 characters by %s. */
#include "../corpus.h"
int main(void) {
    char *text = malloc(48), line[200];
    memset(text, 'p', 48);
    snprintf(line, sizeof line, DEFECT("%s", "%.48s"), (char *)hidden(text));
    printf("%.10s\n", line);
    free(text);
}
