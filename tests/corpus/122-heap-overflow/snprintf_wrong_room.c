/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Tells snprintf the size of another buffer. */
#include "../corpus.h"
enum { SHORT = 24, LONG = 80 };

int main(void) {
    char *label = malloc(SHORT);
    size_t room = number(DEFECT(LONG, SHORT));
    int wanted = snprintf(label, room, "%s, %s and %s", (char *)hidden("Tick, the elder"),
                          (char *)hidden("Trick, the middle one"), (char *)hidden("Track"));
    printf("%d %.5s\n", wanted, label);
    free(label);
}
