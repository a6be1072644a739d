/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * A signal handler counts in a block that has been freed before the signal came. */
#include "../corpus.h"
#include <signal.h>

static volatile int *volatile counts;

static void handle(int number) {
    if (counts) counts[number]++;
}

int main(void) {
    counts = calloc(64, sizeof *counts);
    signal(SIGUSR1, handle);
    raise(SIGUSR1);
    free((void *)counts);
#ifdef FIXED
    counts = NULL;
#endif
    raise(SIGUSR1);
    printf("raised\n");
}
