/* Accesses to guarded blocks, right ones and wrong ones: a case each, by its name. */
#define _GNU_SOURCE
#include "check.h"
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define SOUND(condition) CHECK(condition, "%s", #condition)

static volatile char sink;

__attribute__((noinline)) static char *make(size_t size) {
    char *block = malloc(size);
    if (!block)
        abort();
    return block;
}

__attribute__((noinline)) static void drop(void *block) { free(block); }

__attribute__((noinline)) static void write_at(volatile char *at) { *at = 1; /* THE WRITE */ }

__attribute__((noinline)) static void read_at(volatile char *at) { sink = *at; }

/* The only caller of this one: a site of its own. */
__attribute__((noinline)) static char *make_chosen(size_t size) { return strcpy(make(size), "chosen"); }

static size_t number(char **argv, int at) { return argv[at] ? strtoull(argv[at], 0, 0) : 0; }

/* Whether a block has an inaccessible page beside it, as the kernel sees it. */
static int is_guarded(const char *block, size_t size) {
    const char *behind = (const char *)(((uintptr_t)block + (size ? size : 1) + PAGE - 1) & -PAGE);
    const char *front = (const char *)(((uintptr_t)block & -PAGE) - PAGE);
    int pipes[2];
    SOUND(pipe(pipes) == 0);
    int readable = write(pipes[1], behind, 1) == 1 || write(pipes[1], front, 1) == 1;
    close(pipes[0]);
    close(pipes[1]);
    return !readable;
}

__attribute__((noinline)) static size_t count_guarded(size_t blocks, size_t size) {
    size_t guarded = 0;
    char **all = (char **)make(blocks * sizeof *all);
    for (size_t i = 0; i < blocks; i++) {
        all[i] = malloc(size);
        guarded += is_guarded(all[i], size);
    }
    for (size_t i = 0; i < blocks; i++)
        free(all[i]);
    drop(all);
    return guarded;
}

static size_t mappings(void) {
    size_t lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    SOUND(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* write SIZE OFFSET, read SIZE OFFSET: an access to a live block. */
static void live(char **argv, void (*access)(volatile char *)) {
    char *block = make(number(argv, 2));
    memset(block, 7, number(argv, 2));
    access(block + (ptrdiff_t)strtoll(argv[3], 0, 0));
    drop(block);
}

/* …-freed SIZE OFFSET: an access to a freed one. */
static void freed(char **argv, void (*access)(volatile char *)) {
    char *block = make(number(argv, 2));
    drop(block);
    access(block + (ptrdiff_t)strtoll(argv[3], 0, 0));
}

static void grow(void) {
    size_t size = 40000, moves = 0;
    char *block = make(size);
    memset(block, 1, size);
    for (int i = 0; i < 4000; i++) {
        size += 5000;
        char *before = block;
        block = realloc(block, size);
        SOUND(block && malloc_usable_size(block) >= size);
        moves += block != before;
        block[size - 1] = 1;
        SOUND(block[0] == 1 && block[39999] == 1);
    }
    printf("moves %zu\n", moves);
    while (size > 100000) {
        size -= 77777;
        block = realloc(block, size);
        SOUND(block && block[0] == 1);
        memset(block + size / 2, 2, size - size / 2);
    }
    block = realloc(block, 100);
    SOUND(block && block[0] == 1);
    drop(block);
}

static void zeroed(void) {
    size_t before = resident(), size = 256u << 20;
    char *block = calloc(1, size);
    SOUND(block);
    size_t after = resident();
    printf("touched %zu\n", after > before ? after - before : 0);
    for (size_t at = 0; at < size; at += 1 << 16)
        SOUND(block[at] == 0);
    memset(block, 9, 1 << 20);
    drop(block);
    for (int i = 0; i < 200; i++) {
        char *again = calloc(i + 1, 1000);
        for (size_t at = 0; at < (size_t)(i + 1) * 1000; at++)
            SOUND(again[at] == 0);
        memset(again, 5, 1000);
        drop(again);
    }
}

static void *churn(void *argument) {
    unsigned seed = (unsigned)(uintptr_t)argument;
    char *kept[64] = {0};
    size_t sizes[64] = {0};
    for (int i = 0; i < 20000; i++) {
        unsigned at = rand_r(&seed) % 64, kind = rand_r(&seed) % 8;
        for (size_t j = 0; j < sizes[at]; j += 97)
            SOUND(kept[at][j] == (char)at);
        size_t size = rand_r(&seed) % 3000 + (kind == 0 ? 50000 : 0);
        if (kind == 1 && kept[at]) {
            kept[at] = realloc(kept[at], size);
        } else {
            free(kept[at]);
            kept[at] = kind == 2 ? memalign(64 << rand_r(&seed) % 8, size) : malloc(size);
        }
        SOUND(kept[at] || size == 0);
        memset(kept[at], (int)at, size);
        sizes[at] = size;
    }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
    return 0;
}

static void threads(void) {
    pthread_t others[4];
    for (size_t i = 0; i < 4; i++)
        SOUND(pthread_create(&others[i], 0, churn, (void *)(i + 1)) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(others[i], 0);
}

static void forks(void) {
    char *block = make(100);
    strcpy(block, "parent");
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        SOUND(child >= 0);
        if (child == 0) {
            SOUND(strcmp(block, "parent") == 0);
            strcpy(block, "child");
            drop(block);
            churn((void *)(uintptr_t)i);
            _exit(0);
        }
        int status;
        SOUND(waitpid(child, &status, 0) == child && status == 0);
    }
    SOUND(strcmp(block, "parent") == 0);
    drop(block);
}

static void used_up(void) {
    size_t count = 30000, guarded = 0, before = mappings();
    char **all = (char **)make(count * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        all[i] = make(100);
        memset(all[i], (int)i, 100);
    }
    guarded = mappings() - before;
    for (size_t i = 0; i < count; i++) {
        SOUND(all[i][0] == (char)i && all[i][99] == (char)i);
        drop(all[i]);
    }
    printf("mappings %zu\nleft %zu\n", guarded, mappings() - before);
    char *again = make(100);
    printf("again %d\n", is_guarded(again, 100));
    drop(again);
    drop(all);
}

static sigjmp_buf back;

static void own_handler(int number, siginfo_t *info, void *context) {
    (void)context;
    printf("handled %d at %p\n", number, info->si_addr);
    fflush(stdout);
    siglongjmp(back, 1);
}

static void handler(void) {
    struct sigaction action = {.sa_sigaction = own_handler, .sa_flags = SA_SIGINFO}, old;
    char *block = make(64);
    SOUND(sigaction(SIGSEGV, &action, &old) == 0);
    for (int i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0) {
            write_at(block + 64);
            SOUND(!"not stopped");
        }
    struct sigaction seen;
    SOUND(sigaction(SIGSEGV, 0, &seen) == 0 && seen.sa_sigaction == own_handler);
    drop(block);
}

__attribute__((noinline)) static int deep(int depth) {
    volatile char frame[1000];
    frame[0] = (char)depth;
    if (depth < 0)
        return 0;
    return deep(depth + 1) + frame[0];
}

static void *deep_thread(void *argument) {
    drop(make(10));
    return (void *)(intptr_t)deep((int)(intptr_t)argument);
}

static void deep_in_thread(void) {
    pthread_t thread;
    pthread_create(&thread, 0, deep_thread, 0);
    pthread_join(thread, 0);
}

/* site, sizes, one in so many: how many of 10000 blocks are guarded. */
static void counts(char **argv) {
    size_t small = count_guarded(10000, number(argv, 2));
    char *chosen = make_chosen(number(argv, 2));
    printf("guarded %zu\nchosen %d\n", small, is_guarded(chosen, number(argv, 2)));
    drop(chosen);
}

static void places(void) {
    size_t left = 0, right = 0;
    for (int i = 0; i < 200; i++) {
        char *block = make(48);
        left += (uintptr_t)block % PAGE == 0;
        right += ((uintptr_t)block + 48) % PAGE == 0;
    }
    printf("left %zu\nright %zu\n", left, right);
}

static void aligned(void) {
    for (size_t align = 16; align <= 4 << 20; align *= 2)
        for (size_t size = 1; size < 200000; size = size * 3 + 5) {
            char *block = aligned_alloc(align, size);
            SOUND(block && (uintptr_t)block % align == 0);
            memset(block, 3, size);
            drop(block);
        }
}

/* What malloc promises of each size: of a small one what the largest object in it may need, whatever
 * the guards say; and where a function is asked for more, that. */
static void promised(char **argv) {
    int is_exact = (int)number(argv, 2);
    for (size_t size = 1; size < 600; size += 1 + size / 40) {
        char *blocks[] = {malloc(size), calloc(1, size), realloc(malloc(1), size), memalign(16, size),
                          aligned_alloc(32, size)};
        for (int i = 0; i < 5; i++) {
            uintptr_t at = (uintptr_t)blocks[i], end = at + size;
            size_t align = i == 4 ? 32 : i == 3 ? 16 : is_exact ? 1 : size < 16 ? 8 : 16;
            CHECK(at % align == 0, "%d: a multiple of %zu, not %p", i, align, blocks[i]);
            CHECK(-end % PAGE < align, "%d: %zu bytes end at a page's, not at %p", i, size, (void *)end);
            memset(blocks[i], 3, size);
            drop(blocks[i]);
        }
    }
}

/* interior SIZE OFFSET, twice SIZE, kept SIZE OFFSET: what is found without a fault. */
static void interior(char **argv) { drop(make(number(argv, 2)) + number(argv, 3)); }

static void twice(char **argv) {
    char *block = make(number(argv, 2));
    drop(block);
    drop(block);
}

static void kept(char **argv) {
    char *block = make(number(argv, 2));
    write_at(block + strtoll(argv[3], 0, 0));
}

/* Freed large blocks stay inaccessible for a while, and are used again in the end. */
static void rounds(void) {
    for (int i = 0; i < 6000; i++) {
        char *block = make(1 << 20);
        block[0] = 1;
        drop(block);
    }
    printf("mappings %zu\n", mappings());
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    drop(make(10));
#define RUN(text, call)                                                                            \
    if (strcmp(name, text) == 0) {                                                                 \
        call;                                                                                      \
        return 0;                                                                                  \
    }
    RUN("write", live(argv, write_at))
    RUN("read", live(argv, read_at))
    RUN("write-freed", freed(argv, write_at))
    RUN("read-freed", freed(argv, read_at))
    RUN("null", write_at((char *)number(argv, 2)))
    RUN("code", write_at((char *)(uintptr_t)main))
    RUN("grow", grow())
    RUN("zeroed", zeroed())
    RUN("churn", churn((void *)1))
    RUN("threads", threads())
    RUN("forks", forks())
    RUN("used-up", used_up())
    RUN("handler", handler())
    RUN("deep", deep(0))
    RUN("deep-thread", deep_in_thread())
    RUN("counts", counts(argv))
    RUN("places", places())
    RUN("aligned", aligned())
    RUN("promised", promised(argv))
    RUN("interior", interior(argv))
    RUN("twice", twice(argv))
    RUN("kept", kept(argv))
    RUN("rounds", rounds())
    return 2;
}
