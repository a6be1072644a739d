/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * A thread that was given a block writes its result after the owner has freed it. */
#include "../corpus.h"
#include <pthread.h>

static pthread_barrier_t freed;

static void *work(void *block) {
    pthread_barrier_wait(&freed);
    ((double *)block)[2] = 3.5;
    return NULL;
}

int main(void) {
    double *result = calloc(8, sizeof *result);
    pthread_t worker;
    pthread_barrier_init(&freed, NULL, 2);
    pthread_create(&worker, NULL, work, result);
    if (DEFECT(1, 0)) free(result);
    pthread_barrier_wait(&freed);
    pthread_join(worker, NULL);
    if (DEFECT(0, 1)) free(result);
    printf("joined\n");
}
