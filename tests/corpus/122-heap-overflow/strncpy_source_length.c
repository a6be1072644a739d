/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Bounds strncpy by the length of the source instead of the room of the target. */
#include "../corpus.h"
static const char title[] = "The quick brown fox jumps over the lazy dog";

int main(void) {
    size_t room = number(16);
    char *line = malloc(room);
    size_t most = DEFECT(strlen(hidden(title)) + 1, room - 1);
    strncpy(line, hidden(title), most);
    line[room - 1] = 0;
    printf("%s\n", line);
    free(line);
}
