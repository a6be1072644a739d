/* Memory ends, the program goes on. Run under a limit of the address space that
 * was set before it started (RLIMIT_AS), except where a case sets its own. */
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

/* A list through the blocks themselves, so that holding them needs no memory. */
struct held {
    struct held *next;
    size_t size;
};

static size_t limit(void) {
    struct rlimit limit;
    EQ(getrlimit(RLIMIT_AS, &limit), 0);
    return limit.rlim_cur;
}

static int no_limit(void) {
    if (limit() <= 2 * GIB) return 0;
    say("SKIPPED: needs a limit of the address space\n");
    return 1;
}

/* What a call that has to fail left in errno, and that it did fail. */
#define FAILED(call)                                                             \
    do {                                                                         \
        errno = 0;                                                               \
        void *pointer_ = hide(call);                                             \
        int errno_ = errno;                                                      \
        CHECK(pointer_ == NULL && errno_ == ENOMEM,                              \
              "%s: expected NULL and ENOMEM, saw %p and %d", #call, pointer_, errno_); \
    } while (0)

/* Takes blocks of `size` until there is no more; their sum. */
static size_t take_all(struct held **list, size_t size) {
    size_t sum = 0;
    for (;;) {
        errno = 0;
        struct held *block = malloc(size);
        if (block == NULL) break;
        *block = (struct held){*list, size};
        if (size > sizeof *block) memset(block + 1, 0x77, size - sizeof *block);
        *list = block;
        sum += size;
        CHECK(sum <= limit(), "took %zu of blocks of %zu in a limit of %zu", sum, size, limit());
    }
    EQ(errno, ENOMEM);
    return sum;
}

static void give_all_back(struct held **list) {
    while (*list != NULL) {
        struct held *block = *list;
        size_t size = block->size;
        const unsigned char *byte = (const unsigned char *)block;
        for (size_t i = sizeof *block; i < size; i += 61)
            CHECK(byte[i] == 0x77, "block %p of %zu: byte %zu is %d", (void *)block, size, i, byte[i]);
        *list = block->next;
        free(block);
    }
}

/* Of what the limit leaves a program (its own mappings, and some for tables)
 * at least a quarter has to be of use. */
static void check_sum(size_t sum, size_t size) {
    CHECK(sum >= limit() / 4, "blocks of %zu: got %zu in a limit of %zu", size, sum, limit());
}

/* Each size in turn gets what the sizes before it gave back. */
static void every_size_comes_to_its_end(void) {
    if (no_limit()) return;
    const size_t sizes[] = {16,    500,    2000, 8000,    32768,  100000, 700000, MIB,
                            3 * MIB, 20000, 5000, 48, MIB / 2, 1000};
    struct held *list = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t sum = take_all(&list, sizes[i]);
        check_sum(sum, sizes[i]);
        FAILED(malloc(hide_size(limit())));
        FAILED(calloc(hide_size(limit()), 1));
        FAILED(realloc(list, hide_size(limit())));
        FAILED(memalign(65536, hide_size(limit())));
        give_all_back(&list);
    }
}

/* Mixed sizes till the end, half freed, till the end again. */
static void it_goes_on_once_memory_is_back(void) {
    if (no_limit()) return;
    uint64_t random = 3;
    for (int round = 0; round < 5; round++) {
        struct held *kept = NULL, *given = NULL;
        size_t sum = 0;
        int failures = 0;
        while (failures < 20) {
            size_t size = random_size(&random) + sizeof(struct held);
            errno = 0;
            struct held *block = next_random(&random) % 2 ? malloc(size) : memalign(64, size);
            if (block == NULL) {
                EQ(errno, ENOMEM);
                failures++;
                continue;
            }
            struct held **list = next_random(&random) % 2 ? &kept : &given;
            *block = (struct held){*list, size};
            memset(block + 1, 0x77, size - sizeof *block);
            *list = block;
            sum += size;
        }
        check_sum(sum, 0);
        give_all_back(&given);
        for (int i = 0; i < 1000; i++) {
            void *block = malloc(random_size(&random) % 4000);
            CHECK(block != NULL, "half of the memory is free: saw NULL");
            free(block);
        }
        give_all_back(&kept);
        void *large = malloc(limit() / 5);
        /* The reference may be left with heaps of which it cannot give back. */
        CHECK(large != NULL || reference(),
              "all memory is free: expected a fifth of the limit of %zu, saw NULL", limit());
        if (large != NULL) memset(large, 1, limit() / 5);
        free(large);
    }
}

/* Many allocations of all kinds while there is nothing: none may harm. */
static void calls_without_memory_do_no_harm(void) {
    if (no_limit()) return;
    struct held *list = NULL;
    void *victims[100];
    for (int i = 0; i < 100; i++) fill(victims[i] = malloc(300), 300, (unsigned)i);
    const size_t sizes[] = {MIB, 64 * KIB, 32 * KIB, 8 * KIB, 2 * KIB, 256, 32};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) take_all(&list, sizes[i]);
    uint64_t random = 5;
    for (int i = 0; i < 20000; i++) {
        size_t size = random_size(&random);
        free(malloc(size));
        free(calloc(1, size));
        free(memalign(4096, size));
        void *aligned = NULL;
        int error = posix_memalign(&aligned, 256, size);
        CHECK(error == 0 || (error == ENOMEM && aligned == NULL),
              "posix_memalign: expected 0 or ENOMEM, saw %d, %p", error, aligned);
        free(aligned);
        void *grown = realloc(victims[i % 100], 300 + size);
        if (grown != NULL) victims[i % 100] = grown;
        FILLED(victims[i % 100], 296, (unsigned)(i % 100));
        if (grown != NULL) {
            grown = realloc(grown, 300);
            if (grown != NULL) victims[i % 100] = grown;
        }
    }
    give_all_back(&list);
    for (int i = 0; i < 100; i++) {
        FILLED(victims[i], 296, (unsigned)i);
        free(victims[i]);
    }
}

static void *churn(void *seed) {
    uint64_t random = (uintptr_t)seed * 77 + 1;
    struct held *list = NULL;
    size_t failures = 0;
    for (int i = 0; i < 30000; i++) {
        size_t size = random_size(&random) + sizeof(struct held);
        struct held *block = malloc(size);
        if (block == NULL) {
            failures++;
            give_all_back(&list);
            continue;
        }
        *block = (struct held){list, size};
        memset(block + 1, 0x77, size - sizeof *block);
        list = block;
    }
    give_all_back(&list);
    return (void *)failures;
}

/* Threads that all run into the limit, and start when nothing is left. */
static void threads_share_the_limit(void) {
    if (no_limit()) return;
    enum { THREADS = 4 };
    pthread_attr_t small;
    EQ(pthread_attr_init(&small), 0);
    EQ(pthread_attr_setstacksize(&small, 256 * KIB), 0);
    size_t failures = 0;
    for (int round = 0; round < 3; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            EQ(pthread_create(&threads[i], &small, churn, (void *)(uintptr_t)(i + 1)), 0);
        for (int i = 0; i < THREADS; i++) {
            void *result;
            EQ(pthread_join(threads[i], &result), 0);
            failures += (size_t)result;
        }
    }
    CHECK(failures > 0, "no thread came to the limit of %zu", limit());
    struct held *list = NULL;
    check_sum(take_all(&list, 2000), 2000);
    give_all_back(&list);
}

/* A thread whose first allocation finds no memory, not even for its cache. */
static void *first_call_without_memory(void *kept) {
    for (int i = 0; i < 100; i++) {
        errno = 0;
        void *block = malloc(20 + i * 300);
        CHECK(block != NULL || errno == ENOMEM, "malloc: saw NULL and errno %d", errno);
        if (block != NULL) memset(block, 1, 20 + i * 300);
        free(block);
    }
    free(kept);
    return NULL;
}

static void *wait_for_all(void *barrier) {
    pthread_barrier_wait(barrier);
    return NULL;
}

static void a_thread_may_start_without_memory(void) {
    if (no_limit()) return;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    void *kept[THREADS];
    EQ(pthread_barrier_init(&start, NULL, THREADS + 1), 0);
    /* The stacks first; glibc keeps them for the next threads. */
    pthread_attr_t small;
    EQ(pthread_attr_init(&small), 0);
    EQ(pthread_attr_setstacksize(&small, 256 * KIB), 0);
    for (int i = 0; i < THREADS; i++) {
        kept[i] = malloc(1000);
        EQ(pthread_create(&threads[i], &small, wait_for_all, &start), 0);
    }
    pthread_barrier_wait(&start);
    for (int i = 0; i < THREADS; i++) EQ(pthread_join(threads[i], NULL), 0);

    struct held *list = NULL;
    const size_t sizes[] = {MIB, 32 * KIB, 2 * KIB, 256, 32};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) take_all(&list, sizes[i]);
    int started = 0;
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], &small, first_call_without_memory, kept[i]) != 0) {
            free(kept[i]);
            continue;
        }
        started++;
        EQ(pthread_join(threads[i], NULL), 0);
    }
    give_all_back(&list);
    CHECK(started > 0, "no thread could be started");
}

/* The limit comes when the program runs: a large block is refused, and what is
 * already there goes on being used. */
static void a_limit_set_later(void) {
    void *early = malloc(1000);
    fill(early, 1000, 1);
    struct rlimit now = {300 * MIB, RLIM_INFINITY};
    EQ(setrlimit(RLIMIT_AS, &now), 0);
    FAILED(malloc(hide_size(GIB)));
    FAILED(realloc(early, hide_size(GIB)));
    FILLED(early, 1000, 1);
    uint64_t random = 9;
    for (int i = 0; i < 100000; i++) {
        size_t size = random_size(&random);
        errno = 0;
        void *block = malloc(size);
        CHECK(block != NULL || errno == ENOMEM, "malloc(%zu): saw NULL and errno %d", size, errno);
        if (block != NULL) memset(block, 1, size);
        free(block);
    }
    now.rlim_cur = RLIM_INFINITY;
    EQ(setrlimit(RLIMIT_AS, &now), 0);
    void *large = malloc(GIB);
    CHECK(large != NULL, "the limit is gone: saw NULL");
    free(large);
    free(early);
}

/* More address space than the kernel gives for one mapping. */
static void a_block_of_all_address_space(void) {
    FAILED(malloc(hide_size((size_t)1 << 47)));
    FAILED(calloc(hide_size((size_t)1 << 40), 128));
    FAILED(memalign(MIB, hide_size((size_t)1 << 47)));
}

/* Run where memory itself is limited to 64 MiB (a cgroup), not the address
 * space: the kernel kills who touches more. What is freed has to be used again,
 * or given back, by each size. */
static void freed_memory_serves_every_size(void) {
    const size_t sizes[] = {32, 200, 1500, 4000, 8000, 20000, 100000, 900000, 5000000, 64, 3000};
    for (int round = 0; round < 6; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct held *list = NULL;
            for (size_t sum = 0; sum + sizes[i] <= 20 * MIB; sum += sizes[i]) {
                struct held *block = malloc(sizes[i]);
                CHECK(block != NULL, "malloc(%zu): saw NULL", sizes[i]);
                *block = (struct held){list, sizes[i]};
                memset(block + 1, 0x77, sizes[i] - sizeof *block);
                list = block;
            }
            give_all_back(&list);
        }
    /* A block much larger than the limit, of which little is touched. */
    char *sparse = malloc(2 * GIB);
    if (sparse != NULL)
        for (size_t at = 0; at < 2 * GIB; at += 64 * MIB) sparse[at] = 1;
    free(sparse);
}

/* Run where the kernel does not overcommit. */
static void without_overcommit(void) {
    enum { COUNT = 64 };
    void *blocks[COUNT] = {0};
    int got = 0;
    for (; got < COUNT; got++) {
        errno = 0;
        blocks[got] = malloc(8 * GIB);
        if (blocks[got] == NULL) break;
    }
    CHECK(got < COUNT, "expected an end of memory, got %d times 8 GiB", got);
    EQ(errno, ENOMEM);
    for (int i = 0; i < got; i++) free(blocks[i]);
    void *block = malloc(64 * MIB);
    CHECK(block != NULL, "all memory is free: saw NULL");
    memset(block, 1, 64 * MIB);
    free(block);
}

CASES(CASE(every_size_comes_to_its_end), CASE(it_goes_on_once_memory_is_back),
      CASE(calls_without_memory_do_no_harm), CASE(threads_share_the_limit),
      CASE(a_thread_may_start_without_memory), CASE(a_limit_set_later),
      CASE(a_block_of_all_address_space), CASE(freed_memory_serves_every_size),
      CASE(without_overcommit))
