/* Ends by _exit from a thread while another one allocates. */
#include "../corpus.h"
#include <pthread.h>
#include <unistd.h>

static void *allocate(void *unused) {
    (void)unused;
    for (;;) free(hidden(malloc(100)));
    return NULL;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, allocate, NULL);
    pthread_detach(thread);
    printf("at once\n");
    fflush(stdout);
    usleep(1000);
    _exit(5);
}
