/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * After longjmp a block is freed that had been freed before the jump. */
#include "../corpus.h"
#include <setjmp.h>

static jmp_buf start;

NOINLINE static void work(char *buffer) {
    buffer[0] = 'w';
    seen(buffer);
    if (DEFECT(1, 0)) free(buffer);
    longjmp(start, 1);
}

int main(void) {
    char *volatile buffer = malloc(150);
    if (setjmp(start) == 0) work(buffer);
    free(buffer);
    printf("jumped\n");
}
