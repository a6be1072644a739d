/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * Two hundred blocks are freed, and one of them written through a pointer to its middle. */
#include "../corpus.h"
int main(void) {
    char *blocks[200], *middle = NULL;
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = calloc(1, 400 + i);
        if (i == number(111)) middle = blocks[i] + 250;
    }
#ifdef FIXED
    *middle = 'm';
#endif
    for (size_t i = 0; i < 200; i++) free(blocks[i]);
#ifndef FIXED
    *(char *)hidden(middle) = 'm';
#endif
    seen(middle);
    printf("written\n");
}
