/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * Writes a flag into a block that it has freed, and allocates others afterwards. */
#include "../corpus.h"
int main(void) {
    int *flags = calloc(24, sizeof *flags);
    seen(flags);
    if (DEFECT(1, 0)) free(flags);
    ((int *)hidden(flags))[5] = 1;
    seen(flags);
    if (DEFECT(0, 1)) free(flags);
    for (int i = 0; i < 10; i++) {
        void *block = malloc(90);
        seen(block);
        free(block);
    }
    printf("set\n");
}
