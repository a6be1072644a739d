/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * The block is overrun here, and given to another thread that frees it. */
#include "../corpus.h"
static void consume(void *text) {
    printf("%.4s\n", (char *)text);
    free(text);
}

int main(void) {
    char *line = malloc(64);
    char *end = stpcpy(line, "this line of text is built up from several parts of a length ");
    stpcpy(end, hidden(DEFECT("that is not small", ".")));
    in_thread(consume, line);
}
