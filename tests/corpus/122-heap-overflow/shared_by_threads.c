/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Four threads write a section of one block each; the sections are rounded up. */
#include "../corpus.h"
#include <pthread.h>

enum { THREADS = 4, TOTAL = 1001 };

static unsigned char *shared;

static void *write_section(void *index) {
    size_t section = (TOTAL + THREADS - 1) / THREADS, from = (size_t)index * section;
    size_t to = from + section;
    if (DEFECT(0, to > TOTAL)) to = TOTAL;
    for (size_t i = from; i < to; i++) shared[i] = (unsigned char)((size_t)index + 1);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    shared = malloc(TOTAL);
    for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, write_section, (void *)i);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    printf("%u\n", sum(shared, 251));
    free(shared);
}
