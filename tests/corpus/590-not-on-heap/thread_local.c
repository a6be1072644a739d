/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * A thread-local buffer is freed when its thread is done. */
#include "../corpus.h"
static _Thread_local double samples[50];

static void work(void *unused) {
    double *mine = unused;
    if (mine == NULL) mine = DEFECT(samples, malloc(sizeof samples));
    for (int i = 0; i < 50; i++) mine[i] = i;
    seen(mine);
    printf("%.0f\n", mine[49]);
    free(hidden(mine));
}

int main(void) { in_thread(work, NULL); }
