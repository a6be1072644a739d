/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * The block is never freed, and the program ends by exit in the middle of a function. */
#include "../corpus.h"
static char *settings;

NOINLINE static void finish(int status) {
    printf("%.5s\n", settings);
    exit(status);
}

int main(void) {
    settings = malloc(128);
    for (char *to = settings; to < settings + number(DEFECT(131, 128)); to += 1) *to = 's';
    finish(3);
}
