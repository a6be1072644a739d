/* Jumps out of nested functions by longjmp, and frees what they had allocated by a list. */
#include "../corpus.h"
#include <setjmp.h>

static jmp_buf start;
static void *pending[100];
static int count;

static void descend(int depth) {
    pending[count++] = calloc(1, (size_t)depth * 50 + 1);
    if (depth == 0) longjmp(start, 1);
    descend(depth - 1);
}

int main(void) {
    volatile int rounds = 0;
    if (setjmp(start) != 0) {
        while (count > 0) free(pending[--count]);
        rounds++;
    }
    if (rounds < 10) descend(20);
    printf("%d\n", rounds);
}
