/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Gives strncat the size of the whole buffer where it wants what is left of it. */
#include "../corpus.h"
int main(void) {
    size_t room = number(32);
    char *line = calloc(room, 1);
    strcpy(line, "twenty characters ..");
    strncat(line, hidden("and then twenty more"), DEFECT(room, room - strlen(line) - 1));
    printf("%.20s\n", line);
    free(line);
}
