/* Leaves a core file of a checked build with blocks in each state: `checked KNOWN`. KNOWN gets a line
 * for each block: what it is, its address, and the bytes that were asked for. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
enum { COUNT = 60, SIZES = 5, OF_OTHER = 20 };

static const size_t SIZE[SIZES] = {20, 100, 600, 3000, 40000};
static char *blocks[SIZES][COUNT];
static char *of_other[OF_OTHER];
static FILE *known;
static pthread_barrier_t done;

NOINLINE char *make_live(size_t size) {
    char *made = malloc(size);
    memset(made, 0x11, size);
    __asm__ volatile("" ::"r"(made) : "memory");
    return made;
}

NOINLINE void drop_live(char *block) {
    free(block);
    __asm__ volatile("" ::: "memory");
}

static void know(const char *what, const char *block, size_t size) {
    fprintf(known, "%s %p %zu\n", what, (const void *)block, size);
}

static void *other(void *unused) {
    for (int i = 0; i < OF_OTHER; i++) of_other[i] = make_live(50);
    for (int i = 0; i < OF_OTHER; i += 2) drop_live(of_other[i]);
    pthread_barrier_wait(&done);
    for (;;) pause();
    return unused;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    known = fopen(argv[1], "w");
    if (!known) return 3;
    pthread_t thread;
    pthread_barrier_init(&done, NULL, 2);
    if (pthread_create(&thread, NULL, other, NULL)) return 4;
    pthread_barrier_wait(&done);
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < COUNT; i++) blocks[s][i] = make_live(SIZE[s]);
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < COUNT; i += 3) drop_live(blocks[s][i]);
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < COUNT; i++) know(i % 3 ? "live" : "freed", blocks[s][i], SIZE[s]);
    for (int i = 0; i < OF_OTHER; i++) know(i % 2 ? "live" : "freed", of_other[i], 50);
    fclose(known);
    abort();
}
