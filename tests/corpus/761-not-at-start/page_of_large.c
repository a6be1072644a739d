/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Frees a page in the middle of a block of 300 KB, whose start is on a page as well. */
#include "../corpus.h"
int main(void) {
    char *block = malloc(number(300 << 10));
    char *page = (char *)(((uintptr_t)block + 8192) & ~(uintptr_t)4095);
    strcpy(page, "a page");
    printf("%s\n", page);
    free(DEFECT(page, block));
}
