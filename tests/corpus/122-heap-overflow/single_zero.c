/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Writes one zero behind a block that is full. */
#include "../corpus.h"
int main(void) {
    size_t room = number(40);
    char *buffer = malloc(room), *input = hidden("a piece of text that has more than forty characters");
    size_t length = strlen(input) < room ? strlen(input) : DEFECT(room, room - 1);
    memcpy(buffer, input, length);
    *(buffer + length) = '\0';
    seen(buffer);
    printf("%.7s\n", buffer);
    free(buffer);
}
