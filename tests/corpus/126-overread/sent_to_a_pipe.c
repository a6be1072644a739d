/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Writes a record of fixed size to a pipe from a block that has no more than its text. */
#include "../corpus.h"
#include <unistd.h>
int main(void) {
    int ends[2];
    char *text = calloc(1, number(24));
    strcpy(text, "shorter than a record");
    if (pipe(ends) != 0) return 1;
    ssize_t sent = write(ends[1], text, number(DEFECT(64, 24)));
    printf("%d\n", sent != 0);
    close(ends[0]);
    close(ends[1]);
    free(text);
}
