// Asks for blocks from functions with names, for the readers of traces: `recorded WORD`. Prints
// addresses behind names. Each letter of WORD is a round of small blocks; `abort` ends with a core.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 100, LARGE = 50 };

static void *small[16][SMALL], *large[LARGE], *resized;

__attribute__((noinline)) void keep_small(void **to) {
    for (int i = 0; i < SMALL; i++) to[i] = malloc(30);
}

__attribute__((noinline)) void keep_large(void) {
    for (int i = 0; i < LARGE; i++) large[i] = malloc(200);
}

__attribute__((noinline)) void resize(void) {
    resized = malloc(100);
    resized = realloc(resized, 900);
}

static void *other(void *unused) {
    for (int i = 0; i < LARGE; i += 2) free(large[i]);
    return unused;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int aborts = !strcmp(argv[1], "abort");
    int rounds = aborts ? 1 : (int)strlen(argv[1]);
    for (int i = 0; i < rounds && i < 16; i++) keep_small(small[i]);
    keep_large();
    resize();
    pthread_t thread;
    if (pthread_create(&thread, NULL, other, NULL)) return 3;
    pthread_join(thread, NULL);
    void *volatile freed = malloc(70);
    printf("kept %p\nfreed %p\ncode %p\n", small[0][1], freed, (char *)keep_small + 4);
    fflush(stdout);
    free(freed);
    if (aborts) abort();
    return 0;
}
