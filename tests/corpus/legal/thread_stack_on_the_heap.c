/* A thread's stack is an aligned block of the heap, which is freed after it has ended. */
#include "../corpus.h"
#include <pthread.h>

static void *work(void *argument) {
    char local[5000];
    memset(local, 3, sizeof local);
    char *copy = memcpy(malloc(sizeof local), local, sizeof local);
    *(unsigned *)argument = sum(copy, sizeof local);
    free(copy);
    return NULL;
}

int main(void) {
    size_t size = 256 << 10;
    void *stack = aligned_alloc(4096, size);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, size);
    pthread_t thread;
    unsigned result = 0;
    if (pthread_create(&thread, &attributes, work, &result) != 0) return 1;
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    free(stack);
    printf("%u\n", result);
}
