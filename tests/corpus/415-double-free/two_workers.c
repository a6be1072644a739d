/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Two workers are done with the same job, which counts its users without a lock and wrongly. */
#include "../corpus.h"
#include <pthread.h>

struct job {
    int users;
    char text[900];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *finish(void *argument) {
    struct job *job = argument;
    pthread_mutex_lock(&lock);
    static int left = 2;
    int last = DEFECT(1, --left == 0);
    if (last) free(job);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void) {
    struct job *job = calloc(1, sizeof *job);
    pthread_t workers[2];
    for (int i = 0; i < 2; i++) pthread_create(&workers[i], NULL, finish, job);
    for (int i = 0; i < 2; i++) pthread_join(workers[i], NULL);
    printf("finished\n");
}
