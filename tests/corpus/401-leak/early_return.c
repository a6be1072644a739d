/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * An error is found after the buffer was allocated, and the function returns. */
#include "../corpus.h"
NOINLINE static int parse(const char *input) {
    char *copy = strdup(input);
    char *separator = strchr(copy, '=');
    if (separator == NULL) {
        if (DEFECT(0, 1)) free(copy);
        return -1;
    }
    int length = (int)(separator - copy);
    free(copy);
    return length;
}

int main(void) {
    const char *inputs[] = {"a=1", "no separator", "bcd=2", "none here", "nor here", "e=3"};
    int total = 0;
    for (int i = 0; i < 6; i++) total += parse(hidden(inputs[i]));
    scrub();
    printf("%d\n", total);
}
