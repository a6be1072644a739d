/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the broken-down time, which stands in memory of libc. */
#include "../corpus.h"
#include <time.h>

int main(void) {
    time_t day = (time_t)number(86400);
    struct tm *broken = gmtime(&day), *copy = broken;
#ifdef FIXED
    copy = malloc(sizeof *copy);
    *copy = *broken;
#endif
    printf("%d\n", copy->tm_year);
    free(hidden(copy));
}
