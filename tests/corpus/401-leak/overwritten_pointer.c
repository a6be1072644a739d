/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * The only pointer to a block is overwritten with that of the next one. */
#include "../corpus.h"
static char *current;

int main(void) {
    for (int i = 0; i < 20; i++) {
#ifdef FIXED
        free(current);
#endif
        current = malloc(200);
        memset(current, i, 200);
    }
    printf("%d\n", current[7]);
    free(current);
    current = NULL;
    scrub();
}
