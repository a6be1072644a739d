/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Writes the digits of a number from the end of a buffer of ten backwards. */
#include "../corpus.h"
int main(void) {
    size_t room = 11;
    char *buffer = malloc(room), *digit = buffer + room - 1;
    uint64_t value = number(DEFECT(987654321012, 987654321));
    *digit = 0;
    do *--digit = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    seen(buffer);
    printf("%.3s\n", buffer + 4);
    free(buffer);
}
