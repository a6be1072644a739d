/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * strsep moves the pointer to what is left, which is freed. */
#include "../corpus.h"
int main(void) {
    char *line = malloc(64), *rest = line, *field;
    strcpy(line, hidden("root:x:0:0:root:/root:/bin/sh"));
    int fields = 0;
    while ((field = strsep(&rest, ":")) != NULL && ++fields < 5) seen(field);
    printf("%s\n", field);
    free(DEFECT(rest, line));
}
