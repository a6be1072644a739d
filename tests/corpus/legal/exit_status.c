/* Ends with a status that is not zero, by exit, with blocks still in use. */
#include "../corpus.h"
char *kept;

int main(void) {
    kept = strdup("kept to the end");
    printf("%s\n", kept);
    fprintf(stderr, "a line on stderr\n");
    exit(42);
}
