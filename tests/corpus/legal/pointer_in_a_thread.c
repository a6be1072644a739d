/* A thread that waits for ever has the only pointers to its blocks, on its stack and in its
 * thread-local storage. */
#include "../corpus.h"
#include <pthread.h>
#include <unistd.h>

_Thread_local char *mine;
static pthread_barrier_t ready;

static void *hold(void *unused) {
    (void)unused;
    char *volatile local = strdup("on the stack");
    mine = strdup("in the thread");
    pthread_barrier_wait(&ready);
    for (;;) pause();
    return local;
}

int main(void) {
    pthread_t thread;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&ready);
    scrub();
    printf("held\n");
    exit(0);
}
