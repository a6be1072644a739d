// Loses blocks and ends with a core file: `lost LIST` writes what it lost to the file LIST, a line
// a block: `definite ADDRESS`, `ring ADDRESS` or `indirect ADDRESS`. `lost LIST ask` asks the
// library as well, which has to be an observed one, and `lost LIST wait` asks it and waits instead
// of ending.

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((weak)) size_t hakmem_leaks(void);

enum { KEPT = 200, LOST = 60, KEY = 0x5a };

struct node {
    struct node *next;
    char rest[40];
};

// By data, by a chain of blocks, by a pointer into a block, by a thread's stack.
struct node *chain;
void *by_data[KEPT];
char *into;

// Addresses that no scan takes for pointers: each byte is XORed.
static uint64_t lost[4 * LOST];
static int kinds[4 * LOST];
static int count;

static uint64_t hidden(const void *block) { return ~(uint64_t)(uintptr_t)block ^ KEY; }

static void lose(void *block, int indirect) {
    lost[count] = hidden(block);
    kinds[count++] = indirect;
}

static void *zeroed(size_t size) {
    void *block = malloc(size);
    if (!block) _exit(4);
    memset(block, 0, size);
    return block;
}

__attribute__((noinline)) static void lose_all(void) {
    for (int i = 0; i < LOST; i++) lose(zeroed(16 + 32 * (size_t)i), 0);
    // A head with a tail: the tail is lost with it.
    struct node *head = zeroed(sizeof *head);
    head->next = zeroed(sizeof *head);
    head->next->next = zeroed(3000);
    lose(head, 0);
    lose(head->next, 1);
    lose(head->next->next, 1);
    // A ring: one of them stands for it.
    struct node *ring = zeroed(sizeof *ring);
    ring->next = zeroed(sizeof *ring);
    ring->next->next = ring;
    lose(ring, 2);
    lose(ring->next, 2);
    lose(zeroed(100000), 0);
    lose(zeroed(3 << 20), 0);
}

// Overwrites what calls have left on the stack below.
__attribute__((noinline)) static void scrub(void) {
    volatile char stack[16384];
    for (size_t i = 0; i < sizeof stack; i++) stack[i] = 0;
}

static void *sleeper(void *barrier) {
    void *volatile mine = zeroed(500);
    scrub();
    pthread_barrier_wait(barrier);
    for (;;) pause();
    return mine;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    static pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t thread;
    if (pthread_create(&thread, NULL, sleeper, &barrier)) _exit(5);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < KEPT; i++) {
        struct node *node = zeroed(sizeof *node);
        node->next = chain;
        chain = node;
        by_data[i] = zeroed(10 * (size_t)i + 1);
    }
    into = (char *)zeroed(5000) + 4000;
    lose_all();
    scrub();
    if (argc > 2 && (!hakmem_leaks || hakmem_leaks() == 0)) _exit(6);
    scrub();
    FILE *list = fopen(argv[1], "w");
    if (!list) return 3;
    for (int i = 0; i < count; i++) {
        static const char *names[] = {"definite", "indirect", "ring"};
        fprintf(list, "%s 0x%llx\n", names[kinds[i]], (unsigned long long)(~(lost[i] ^ KEY)));
    }
    fclose(list);
    scrub();
    while (argc > 2 && !strcmp(argv[2], "wait")) pause();
    abort();
}
