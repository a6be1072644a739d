/* Knows what its addresses are, and then leaves a core file: `answers FILE`. FILE gets a struct record
 * for each of 1000 addresses: what the program and the library say of it while the program runs. */
#define HAKMEM_WEAK
#include "../../capi/include/hakmem.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3, SLOTS = 8000, STEPS = 60000, ASKED = 1000, WALKED_MAX = 1 << 19 };

struct record {
    uint64_t address; /* that is asked about */
    uint64_t block;   /* by hakmem_walk; 0 if it is in no block */
    uint64_t size;    /* by hakmem_walk */
    uint64_t state;   /* by hakmem_walk; 0 if it is in no block */
    uint64_t asked;   /* by the program itself, of a block that it holds; else 0 */
    uint64_t usable;  /* by malloc_usable_size, of these; else 0 */
};

struct slot {
    char *block;
    size_t size;
};

static struct slot slots[THREADS][SLOTS];
static struct record walked[WALKED_MAX];
static size_t walked_count;
static pthread_barrier_t done;

static uint64_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static size_t any_size(uint64_t *state) {
    switch (next(state) % 64) {
        case 0: return 32768 + next(state) % 200000;
        case 1: case 2: return next(state) % 32768;
        default: return 1 + next(state) % 1000;
    }
}

static void work(int number) {
    uint64_t state = 42 + (uint64_t)number;
    for (int step = 0; step < STEPS; step++) {
        struct slot *slot = &slots[number][next(&state) % SLOTS];
        free(slot->block);
        slot->block = NULL;
        if (next(&state) % 3) {
            slot->size = any_size(&state);
            slot->block = malloc(slot->size);
            if (!slot->block) _exit(4);
            memset(slot->block, 0x5a, slot->size);
        }
    }
}

/* The last one stays, and keeps what it holds free; the others end. */
static void *run(void *number) {
    work((int)(intptr_t)number);
    if ((intptr_t)number == THREADS - 1) {
        pthread_barrier_wait(&done);
        for (;;) pause();
    }
    return NULL;
}

static int visit(const void *block, size_t size, int state, void *unused) {
    (void)unused;
    if (walked_count == WALKED_MAX) _exit(5);
    struct record *record = &walked[walked_count++];
    record->block = (uintptr_t)block;
    record->size = size;
    record->state = (uint64_t)state;
    return 0;
}

/* What hakmem_walk has said of the block that an address is in. */
static struct record *find(uint64_t address) {
    size_t low = 0, high = walked_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (walked[middle].block <= address) low = middle + 1;
        else high = middle;
    }
    if (!low || address - walked[low - 1].block >= walked[low - 1].size) return NULL;
    return &walked[low - 1];
}

static struct record answers[ASKED];

int main(int argc, char **argv) {
    if (argc < 2 || !hakmem_walk) return 2;
    pthread_t threads[THREADS];
    pthread_barrier_init(&done, NULL, 2);
    for (intptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)i)) return 3;
    for (int i = 0; i < THREADS - 1; i++) pthread_join(threads[i], NULL);
    pthread_barrier_wait(&done);
    work(0);
    /* Nothing is allocated or freed from here on. */
    hakmem_walk(visit, NULL);
    for (size_t i = 1; i < walked_count; i++)
        /* By slabs, and those by address, but for what lies outside of the arena. */
        if (walked[i - 1].block > walked[i].block) return 6;
    for (int t = 0; t < THREADS; t++)
        for (int s = 0; s < SLOTS; s++) {
            struct slot *slot = &slots[t][s];
            struct record *record = slot->block ? find((uintptr_t)slot->block) : NULL;
            if (!slot->block) continue;
            if (!record || record->block != (uintptr_t)slot->block) return 7;
            record->asked = slot->size;
            record->usable = hakmem_usable_size(slot->block);
        }
    uint64_t state = 7, low = walked[0].block, last = walked_count - 1;
    uint64_t high = walked[last].block + walked[last].size;
    for (int i = 0; i < ASKED; i++) {
        uint64_t address = low + (next(&state) << 20 | next(&state)) % (high - low);
        /* Half of them in blocks that there are, at their ends and within. */
        if (i % 2) {
            struct record *record = &walked[next(&state) % walked_count];
            uint64_t where[3] = {0, record->size - 1, next(&state) % record->size};
            address = record->block + where[next(&state) % 3];
        }
        struct record *record = find(address);
        if (record) answers[i] = *record;
        answers[i].address = address;
    }
    int file = open(argv[1], O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (write(file, answers, sizeof answers) != sizeof answers) return 8;
    close(file);
    abort();
}
