/* Two hundred threads, one after another and eight at a time, leave blocks that main frees. */
#include "../corpus.h"
#include <pthread.h>

static void *leave(void *argument) {
    size_t n = (size_t)argument;
    char *block = malloc(n * 30 + 1);
    free(malloc(n));
    memset(block, (int)n, n * 30 + 1);
    return block;
}

int main(void) {
    unsigned total = 0;
    for (size_t round = 0; round < 25; round++) {
        pthread_t threads[8];
        for (size_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, leave, (void *)(round * 8 + i));
        for (size_t i = 0; i < 8; i++) {
            void *block;
            pthread_join(threads[i], &block);
            total += *(unsigned char *)block;
            free(block);
        }
    }
    printf("%u\n", total);
}
