/* A thread is cancelled; its cleanup handler frees what it had. */
#include "../corpus.h"
#include <pthread.h>
#include <unistd.h>

static void clean_up(void *block) {
    printf("%s\n", (char *)block);
    free(block);
}

static void *wait_for_ever(void *unused) {
    char *block = strdup("cleaned up");
    pthread_cleanup_push(clean_up, block);
    for (;;) pause();
    pthread_cleanup_pop(1);
    return unused;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    usleep(10000);
    pthread_cancel(thread);
    void *result;
    pthread_join(thread, &result);
    printf("%d\n", result == PTHREAD_CANCELED);
}
