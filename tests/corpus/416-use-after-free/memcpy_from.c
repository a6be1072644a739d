/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Saves the contents of a block by memcpy just after it was freed. */
#include "../corpus.h"
int main(void) {
    size_t size = number(800);
    char *block = malloc(size), saved[800];
    memset(block, 'b', size);
    if (DEFECT(1, 0)) free(block);
    memcpy(saved, hidden(block), size);
    if (DEFECT(0, 1)) free(block);
    seen(saved);
    printf("%d\n", saved[400] != 1);
}
