/* See corpus.h. A file of its own, so that the compiler of a program knows only the prototypes.
 * It is C and C++ alike: each compiler takes it with the program. */
#include "corpus.h"

#include <pthread.h>

size_t number(size_t value) { return value; }

void *hidden(const void *pointer) { return (void *)pointer; }

void seen(const void *memory) { (void)memory; }

unsigned sum(const void *memory, size_t length) {
    const unsigned char *bytes = (const unsigned char *)memory;
    unsigned total = 0;
    for (size_t i = 0; i < length; i++) total += bytes[i];
    return total;
}

struct work {
    void (*run)(void *);
    void *argument;
};

static void *carry_out(void *work) {
    struct work *todo = (struct work *)work;
    todo->run(todo->argument);
    return NULL;
}

void in_thread(void (*run)(void *), void *argument) {
    struct work work = {run, argument};
    pthread_t thread;
    if (pthread_create(&thread, NULL, carry_out, &work) != 0) {
        perror("pthread_create");
        exit(120);
    }
    pthread_join(thread, NULL);
}

void scrub(void) {
    volatile char stack[16384];
    for (size_t i = 0; i < sizeof stack; i++) stack[i] = 0;
}
