/* Forks of programs whose threads are allocating all the time. A child has one
 * thread, the parent's blocks, and an allocator whose locks some thread may have
 * held that does not exist any more. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { SLOTS = 150, THREADS = 4 };

struct slot {
    void *block;
    size_t size;
};

static atomic_int stop;

static void replace(struct slot *slot, size_t size, unsigned seed) {
    if (slot->block != NULL) {
        FILLED(slot->block, slot->size, seed);
        free(slot->block);
    }
    slot->block = malloc(size);
    slot->size = size;
    CHECK(slot->block != NULL, "malloc(%zu): saw NULL", size);
    fill(slot->block, size, seed);
}

static void give_back(struct slot *slots, unsigned seed) {
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].block != NULL) FILLED(slots[i].block, slots[i].size, seed);
        free(slots[i].block);
        slots[i].block = NULL;
    }
}

/* Blocks that go from thread to thread, so that frees are remote. */
static _Atomic(void *) mailbox[64];

static void *churn(void *argument) {
    unsigned seed = (unsigned)(uintptr_t)argument;
    uint64_t random = seed * 7919 + 1;
    struct slot slots[SLOTS] = {0};
    while (!atomic_load(&stop)) {
        for (int i = 0; i < 200; i++) {
            replace(&slots[next_random(&random) % SLOTS], random_size(&random), seed);
            void *mail = malloc(next_random(&random) % 3000);
            free(atomic_exchange(&mailbox[next_random(&random) % 64], mail));
        }
    }
    give_back(slots, seed);
    return NULL;
}

static void start(pthread_t *threads, int count) {
    atomic_store(&stop, 0);
    for (int i = 0; i < count; i++)
        EQ(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)(i + 1)), 0);
}

static void finish(pthread_t *threads, int count) {
    atomic_store(&stop, 1);
    for (int i = 0; i < count; i++) EQ(pthread_join(threads[i], NULL), 0);
}

static void wait_for(pid_t child) {
    int status = 0;
    CHECK(child > 0, "fork failed: errno %d", errno);
    EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "expected the child to exit with 0, saw status 0x%x", status);
}

/* What a child does: with blocks of its own, with the parent's, with threads. */
static void live(struct slot *inherited, unsigned seed, int with_threads) {
    uint64_t random = seed * 31 + 5;
    struct slot slots[SLOTS] = {0};
    for (int i = 0; i < 600; i++)
        replace(&slots[next_random(&random) % SLOTS], random_size(&random), seed);
    if (inherited != NULL) give_back(inherited, 99);
    for (int i = 0; i < 64; i++) free(atomic_exchange(&mailbox[i], NULL));
    if (with_threads) {
        pthread_t threads[3];
        start(threads, 3);
        for (int i = 0; i < 600; i++)
            replace(&slots[next_random(&random) % SLOTS], random_size(&random), seed);
        finish(threads, 3);
    }
    give_back(slots, seed);
}

static void take(struct slot *slots, uint64_t *random) {
    for (int i = 0; i < SLOTS; i++) replace(&slots[i], random_size(random), 99);
}

static void children_of_a_busy_program(void) {
    pthread_t threads[THREADS];
    struct slot slots[SLOTS] = {0};
    uint64_t random = 11;
    start(threads, THREADS);
    for (int i = 0; i < 60; i++) {
        take(slots, &random);
        pid_t child = fork();
        if (child == 0) {
            live(slots, 50, i % 4 == 0);
            if (i % 2) exit(0);
            _exit(0);
        }
        wait_for(child);
        give_back(slots, 99);
    }
    finish(threads, THREADS);
}

static void children_of_children(void) {
    pthread_t threads[THREADS];
    struct slot slots[SLOTS] = {0};
    uint64_t random = 12;
    start(threads, THREADS);
    take(slots, &random);
    for (int i = 0; i < 4; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (int depth = 0; depth < 6; depth++) {
                pthread_t mine[2];
                start(mine, 2);
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    live(NULL, 51, 0);
                    continue;
                }
                wait_for(grandchild);
                finish(mine, 2);
                exit(0);
            }
            live(slots, 52, 1);
            exit(0);
        }
        wait_for(child);
    }
    finish(threads, THREADS);
    give_back(slots, 99);
}

static void *fork_often(void *argument) {
    struct slot slots[SLOTS] = {0};
    uint64_t random = (uintptr_t)argument * 3 + 1;
    for (int i = 0; i < 20; i++) {
        take(slots, &random);
        pid_t child = fork();
        if (child == 0) {
            live(slots, 53, i % 3 == 0);
            _exit(0);
        }
        wait_for(child);
        give_back(slots, 99);
    }
    return NULL;
}

/* Several threads fork at once, while others allocate. */
static void forks_of_all_threads_at_once(void) {
    pthread_t forking[3], busy[2];
    start(busy, 2);
    for (int i = 0; i < 3; i++)
        EQ(pthread_create(&forking[i], NULL, fork_often, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < 3; i++) EQ(pthread_join(forking[i], NULL), 0);
    finish(busy, 2);
}

/* The program's own handlers allocate: they run inside of fork, on both sides
 * of the allocator's. */
static void *held_by_handlers[3];
static void before(void) { held_by_handlers[0] = realloc(held_by_handlers[0], 5000); }
static void in_parent(void) { held_by_handlers[1] = realloc(held_by_handlers[1], 70); }
static void in_child(void) { held_by_handlers[2] = realloc(held_by_handlers[2], 200000); }

static void fork_handlers_may_allocate(void) {
    EQ(pthread_atfork(before, in_parent, in_child), 0);
    children_of_a_busy_program();
    for (int i = 0; i < 3; i++) free(held_by_handlers[i]);
}

/* Threads start and end while others fork: caches are parked and adopted. */
static void *short_life(void *argument) {
    free(argument);
    void *left = NULL;
    for (int i = 0; i < 50; i++) {
        free(left);
        left = malloc(100 + i * 50);
    }
    return left;
}

static void *start_threads(void *unused) {
    void *left = NULL;
    while (!atomic_load(&stop)) {
        pthread_t thread;
        EQ(pthread_create(&thread, NULL, short_life, left), 0);
        EQ(pthread_join(thread, &left), 0);
    }
    free(left);
    return unused;
}

static void forks_beside_threads_that_end(void) {
    pthread_t starter[2];
    struct slot slots[SLOTS] = {0};
    uint64_t random = 13;
    atomic_store(&stop, 0);
    for (int i = 0; i < 2; i++) EQ(pthread_create(&starter[i], NULL, start_threads, NULL), 0);
    for (int i = 0; i < 60; i++) {
        take(slots, &random);
        pid_t child = fork();
        if (child == 0) {
            live(slots, 54, i % 4 == 0);
            exit(0);
        }
        wait_for(child);
        give_back(slots, 99);
    }
    finish(starter, 2);
}

/* What children leave in use when they end does not matter to the parent; what
 * the threads left that the child lacks, the child may use: its memory does not
 * grow with each generation. */
static void generations_do_not_grow(void) {
    pthread_t threads[THREADS];
    size_t first = 0;
    for (int generation = 0; generation < 16; generation++) {
        start(threads, THREADS);
        usleep(2000);
        pid_t child = fork();
        if (child > 0) {
            wait_for(child);
            finish(threads, THREADS);
            if (generation > 0) exit(0);
            return;
        }
        CHECK(child == 0, "fork failed: errno %d", errno);
        for (int i = 0; i < 64; i++) free(atomic_exchange(&mailbox[i], NULL));
        if (generation == 4) first = resident();
    }
    size_t last = resident();
    /* The blocks that the lost threads held are lost with them: 12 generations
     * of at most 4 threads of 150 blocks. */
    CHECK(last < first + 300 * MIB, "resident: %zu in generation 4, %zu in 16", first, last);
    exit(0);
}

CASES(CASE(children_of_a_busy_program), CASE(children_of_children),
      CASE(forks_of_all_threads_at_once), CASE(fork_handlers_may_allocate),
      CASE(forks_beside_threads_that_end), CASE(generations_do_not_grow))
