/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Counts what its blocks take, with one that is free by then. */
#include "../corpus.h"
#include <malloc.h>
int main(void) {
    char *blocks[3];
    size_t taken = 0;
    for (int i = 0; i < 3; i++) blocks[i] = malloc(number(50));
    if (DEFECT(1, 0)) free(blocks[1]);
    for (int i = 0; i < 3; i++) taken += malloc_usable_size(hidden(blocks[i])) != 0;
    printf("%d\n", taken <= 3);
    for (int i = 0; i < 3; i++) {
        if (DEFECT(i != 1, 1)) free(blocks[i]);
    }
}
