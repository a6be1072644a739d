/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Each call of a function leaves the buffer that getline made for it. */
#include "../corpus.h"
NOINLINE static size_t longest(FILE *file) {
    char *line = NULL;
    size_t room = 0, most = 0;
    rewind(file);
    for (ssize_t length; (length = getline(&line, &room, file)) > 0;)
        if ((size_t)length > most) most = (size_t)length;
    if (DEFECT(0, 1)) free(line);
    return most;
}

int main(void) {
    FILE *file = tmpfile();
    fputs("one\nthree\neleven\n", file);
    size_t total = 0;
    for (int i = 0; i < 6; i++) total += longest(file);
    fclose(file);
    scrub();
    printf("%zu\n", total);
}
