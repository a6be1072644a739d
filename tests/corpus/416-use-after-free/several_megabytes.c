/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * Clears a block of four megabytes after it was freed. */
#include "../corpus.h"
int main(void) {
    size_t size = number(4 << 20);
    char *secret = malloc(size);
    memset(secret, 's', size);
#ifdef FIXED
    memset(secret, 0, size);
    free(secret);
#else
    free(secret);
    memset(hidden(secret), 0, size);
#endif
    printf("cleared\n");
}
