/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Writes 2 KB as 4 KB of hexadecimal digits, and a terminator. */
#include "../corpus.h"
int main(void) {
    unsigned char *page = malloc(2048);
    memset(page, 0xa5, 2048);
    char *digits = malloc(DEFECT(2 * 2048, 2 * 2048 + 1));
    char *end = digits;
    for (size_t i = 0; i < number(2048); i++) end += sprintf(end, "%02x", page[i]);
    printf("%.6s\n", digits);
    free(page);
    free(digits);
}
