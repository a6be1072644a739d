/* A producer allocates, consumers free; all at the same time, a hundred thousand times. */
#include "../corpus.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static void *queue[64];
static size_t in, out, done;

static void *consume(void *unused) {
    (void)unused;
    size_t total = 0;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (in == out && !done) pthread_cond_wait(&change, &lock);
        void *block = in == out ? NULL : queue[out++ % 64];
        pthread_cond_broadcast(&change);
        pthread_mutex_unlock(&lock);
        if (block == NULL) return (void *)total;
        total += *(size_t *)block;
        free(block);
    }
}

int main(void) {
    pthread_t consumers[2];
    size_t total = 0;
    for (int i = 0; i < 2; i++) pthread_create(&consumers[i], NULL, consume, NULL);
    for (size_t n = 0; n < number(20000); n++) {
        size_t *block = malloc(n % 700 + 8);
        *block = n;
        pthread_mutex_lock(&lock);
        while (in - out == 64) pthread_cond_wait(&change, &lock);
        queue[in++ % 64] = block;
        pthread_cond_broadcast(&change);
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_lock(&lock);
    done = 1;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 2; i++) {
        void *part;
        pthread_join(consumers[i], &part);
        total += (size_t)part;
    }
    printf("%zu\n", total);
}
