/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A retry by goto appends a second time to a buffer for one answer. */
#include "../corpus.h"
int main(void) {
    int tries = 0;
    size_t used = 0;
    char *answers = malloc(26);
again:
    used += (size_t)sprintf(answers + used, "answer %d: nothing.", tries);
    if (++tries < (int)number(2)) {
#ifdef FIXED
        used = 0;
#endif
        goto again;
    }
    printf("%.6s\n", answers);
    free(answers);
}
