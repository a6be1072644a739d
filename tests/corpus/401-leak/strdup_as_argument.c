/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Passes the result of strdup on to a function that only looks at it. */
#include "../corpus.h"
NOINLINE static size_t count_spaces(const char *text) {
    size_t spaces = 0;
    for (; *text; text++) spaces += *text == ' ';
    return spaces;
}

NOINLINE static size_t count_all(void) {
    size_t spaces = 0;
    for (int i = 0; i < 30; i++) {
        char *copy = strdup(hidden("as many spaces as it has"));
        spaces += count_spaces(copy);
        if (DEFECT(0, 1)) free(copy);
    }
    return spaces;
}

int main(void) {
    size_t spaces = count_all();
    scrub();
    printf("%zu\n", spaces);
}
