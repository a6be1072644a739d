/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Cuts the last character off an empty line. */
#include "../corpus.h"
int main(void) {
    const char *lines[] = {"first", "", "last"};
    for (size_t i = 0; i < 3; i++) {
        char *line = strdup(hidden(lines[i]));
        size_t length = strlen(line);
        if (DEFECT(1, length > 0)) line[length - 1] = 0;
        seen(line);
        printf("%zu\n", i);
        free(line);
    }
}
