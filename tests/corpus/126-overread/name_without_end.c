/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Removes a file whose name fills its block, so that nothing ends it. */
#include "../corpus.h"
#include <unistd.h>
int main(void) {
    size_t length = number(48);
    char *name = malloc(length + DEFECT(0, 1));
    memset(name, 'n', length);
    memcpy(name, "/proc/self/", 11);
    if (DEFECT(0, 1)) name[length] = 0;
    printf("%d\n", unlink(hidden(name)));
    free(name);
}
