// Leaves a core file with blocks in every state: `leave_core KNOWN WALKED`.
//
// KNOWN gets what the program knows by itself of its blocks, WALKED what hakmem_walk says of
// all there are; both as struct record. The program dies by abort.

#define HAKMEM_WEAK
#include "../../capi/include/hakmem.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIZES = 9, EACH = 40, SMALL = 5, KNOWN_MAX = 4096, WALKED_MAX = 1 << 18 };

// What the program knows. The first three are hakmem.h's; the others are two kinds of
// HAKMEM_BLOCK_RETURNING, and a large block that was freed, of which nothing is left.
enum { LIVE = 1, FREE = 2, CACHED = 3, HELD_BACK = 4, SENT_HOME = 5, GONE = 6 };

struct record {
    uint64_t address;
    uint64_t size; // usable; in KNOWN as asked for
    uint64_t state;
};

static const size_t SIZE[SIZES] = {16, 48, 112, 640, 2048, 3000, 8192, 20000, 32768};

static struct record known[KNOWN_MAX];
static struct record walked[WALKED_MAX];
static size_t known_count, walked_count;

static void *of_main[SIZES][EACH], *of_ended[SIZES][EACH], *of_other[SIZES][EACH];

// The other thread has done its part; main may go on.
static pthread_barrier_t done;

static void know(void *block, size_t size, int state) {
    if (known_count == KNOWN_MAX) _exit(3);
    struct record record = {(uintptr_t)block, size, (uint64_t)state};
    known[known_count++] = record;
}

static void release(void *block, size_t size, int state) {
    know(block, size, state);
    free(block);
}

static void fill(void *blocks[SIZES][EACH]) {
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < EACH; i++) {
            blocks[s][i] = malloc(SIZE[s]);
            if (!blocks[s][i]) _exit(4);
            memset(blocks[s][i], 0xA5, SIZE[s]);
        }
}

// Frees every second block and ends: they go back to their slabs.
static void *ended(void *unused) {
    fill(of_ended);
    for (int s = 0; s < SIZES; s++)
        for (int i = 1; i < EACH; i += 2) free(of_ended[s][i]);
    return unused;
}

// Keeps a block of each size in its cache, and sleeps until the end.
static void *other(void *unused) {
    fill(of_other);
    for (int s = 0; s < SIZES; s++) free(of_other[s][0]);
    pthread_barrier_wait(&done);
    for (;;) pause();
    return unused;
}

static void start(pthread_t *thread, void *(*run)(void *)) {
    if (pthread_create(thread, NULL, run, NULL)) _exit(5);
}

static int visit(const void *block, size_t size, int state, void *unused) {
    (void)unused;
    if (walked_count == WALKED_MAX) _exit(6);
    struct record record = {(uintptr_t)block, size, (uint64_t)state};
    walked[walked_count++] = record;
    return 0;
}

static void save(const char *path, const struct record *records, size_t count) {
    int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    const char *at = (const char *)records;
    size_t left = count * sizeof *records;
    while (left) {
        ssize_t written = write(file, at, left);
        if (written <= 0) _exit(7);
        at += written;
        left -= (size_t)written;
    }
    close(file);
}

int main(int argc, char **argv) {
    if (argc < 3 || !hakmem_walk) return 2;
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    // 77: no core file can be had here.
    if (limit.rlim_max < (rlim_t)1 << 30) return 77;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);

    pthread_t one, two;
    pthread_barrier_init(&done, NULL, 2);
    fill(of_main);
    void *freed_run = malloc(300000), *freed_mapping = malloc(6 << 20);
    void *run = malloc(100000), *long_run = malloc(1 << 20);
    void *mapping = calloc(1, 3 << 20), *aligned = aligned_alloc(1 << 16, 1 << 16);
    void *moved = realloc(malloc(2 << 20), 9 << 20);
    start(&one, other);
    pthread_barrier_wait(&done);
    // A thread that begins later would adopt the cache of one that has ended.
    start(&two, ended);
    pthread_join(two, NULL);

    // Nothing is allocated from here on. First what goes back to the slabs at once: main's
    // own, and of the other thread's what is sent home.
    for (int s = 0; s < SIZES; s++) {
        for (int i = 1; i < EACH; i += 4) release(of_main[s][i], SIZE[s], FREE);
        for (int i = 10; i < 18; i++) release(of_other[s][i], SIZE[s], SENT_HOME);
    }
    hakmem_collect();

    // Then what stays with main: fewer than its front holds, and than it holds back.
    for (int s = 0; s < SIZES; s++) {
        int cached = s < SMALL ? 6 : 2;
        for (int i = 2; i < EACH; i += 4)
            if (cached-- > 0)
                release(of_main[s][i], SIZE[s], CACHED);
            else
                know(of_main[s][i], SIZE[s], LIVE);
        for (int i = 20; i < 24; i++)
            if (s < SMALL)
                release(of_other[s][i], SIZE[s], HELD_BACK);
            else
                know(of_other[s][i], SIZE[s], LIVE);
    }
    release(freed_run, 300000, GONE);
    release(freed_mapping, 6 << 20, GONE);

    // What nobody has touched since.
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < EACH; i++) {
            if (i % 4 == 0 || i % 4 == 3) know(of_main[s][i], SIZE[s], LIVE);
            know(of_ended[s][i], SIZE[s], i % 2 ? FREE : LIVE);
            if (i < 1)
                know(of_other[s][i], SIZE[s], CACHED);
            else if (i < 10 || (i >= 18 && i < 20) || i >= 24)
                know(of_other[s][i], SIZE[s], LIVE);
        }
    know(run, 100000, LIVE);
    know(long_run, 1 << 20, LIVE);
    know(mapping, 3 << 20, LIVE);
    know(aligned, 1 << 16, LIVE);
    know(moved, 9 << 20, LIVE);

    hakmem_walk(visit, NULL);
    save(argv[1], known, known_count);
    save(argv[2], walked, walked_count);
    abort();
}
