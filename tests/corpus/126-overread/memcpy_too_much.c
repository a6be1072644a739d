/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Copies a longer piece out of a block than it has, into a block that is long enough. */
#include "../corpus.h"
int main(void) {
    char *source = malloc(64), *target = malloc(160);
    memset(source, 's', 64);
    memset(target, 't', 160);
    memcpy(target, source, number(DEFECT(128, 64)));
    printf("%c\n", target[20]);
    free(source);
    free(target);
}
