/* Threads that come and go, and leave blocks to others. */
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

struct node {
    _Atomic(struct node *) next;
    size_t size;
    unsigned seed;
};

static struct node *make(size_t size, unsigned seed) {
    size += sizeof(struct node);
    struct node *node = malloc(size);
    CHECK(node != NULL, "malloc(%zu): saw NULL", size);
    node->size = size;
    node->seed = seed;
    fill(node + 1, size - sizeof *node, seed);
    return node;
}

static void unmake(struct node *node) {
    FILLED(node + 1, node->size - sizeof *node, node->seed);
    free(node);
}

/* A stack that is only pushed to, or taken whole. */
static _Atomic(struct node *) shared;

static void push(struct node *node) {
    struct node *top = atomic_load(&shared);
    do atomic_store(&node->next, top);
    while (!atomic_compare_exchange_weak(&shared, &top, node));
}

static size_t take_all(void) {
    struct node *node = atomic_exchange(&shared, NULL);
    size_t count = 0;
    while (node != NULL) {
        struct node *next = atomic_load(&node->next);
        unmake(node);
        node = next;
        count++;
    }
    return count;
}

static void in_threads(int count, void *(*run)(void *)) {
    pthread_t threads[256];
    CHECK(count <= 256, "too many");
    for (int i = 0; i < count; i++)
        EQ(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < count; i++) EQ(pthread_join(threads[i], NULL), 0);
}

static void *leave_blocks(void *number) {
    uint64_t random = (uintptr_t)number * 2654435761u + 1;
    if ((uintptr_t)number % 3 == 0) take_all();
    for (int i = 0; i < 150; i++) push(make(random_size(&random), (unsigned)i));
    return NULL;
}

/* At most 8 at a time, a thousand and more in all. */
static void a_thousand_threads_leave_blocks(void) {
    for (int round = 0; round < 150; round++) {
        in_threads(8, leave_blocks);
        if (round % 10 == 0) take_all();
    }
    take_all();
}

static void two_hundred_threads_at_once(void) {
    for (int round = 0; round < 4; round++) in_threads(200, leave_blocks);
    take_all();
}

static void *one_block(void *pointer) {
    void *block = malloc(100);
    free(pointer);
    return block;
}

/* A thread's first call may be a free, its last one a malloc. */
static void threads_of_one_block(void) {
    void *block = malloc(100);
    for (int i = 0; i < 3000; i++) {
        pthread_t thread;
        EQ(pthread_create(&thread, NULL, one_block, block), 0);
        EQ(pthread_join(thread, &block), 0);
    }
    free(block);
}

static void *first_call_is_a_free(void *pointer) {
    free(pointer);
    return NULL;
}

static void threads_that_only_free(void) {
    const size_t sizes[] = {16, 1000, 2048, 5000, 20000, 100000, 3 * MIB};
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        void *block = malloc(sizes[i % 7]);
        EQ(pthread_create(&thread, NULL, first_call_is_a_free, block), 0);
        EQ(pthread_join(thread, NULL), 0);
    }
}

/* Each thread uses 4 MiB and frees all, or leaves a hundredth. */
static void *use_much(void *number) {
    enum { COUNT = 4000 };
    static __thread void *blocks[COUNT];
    uint64_t random = (uintptr_t)number + 1;
    size_t size = 200 + next_random(&random) % 1600;
    for (int i = 0; i < COUNT; i++) memset(blocks[i] = malloc(size), 1, size);
    for (int i = 0; i < COUNT; i++)
        if (i % 100 != 0) free(blocks[i]);
    for (int i = 0; i < COUNT; i += 100) free(blocks[i]);
    return NULL;
}

static void memory_of_ended_threads_is_used_again(void) {
    size_t most = 0;
    for (int round = 0; round < 100; round++) {
        in_threads(4, use_much);
        size_t now = resident();
        if (now > most) most = now;
    }
    CHECK(most < 200 * MIB,
          "400 threads, 4 at a time with about 4 MiB: expected less than 200 MiB resident, saw %zu",
          most);
}

enum { RING = 4096 };
static _Atomic(struct node *) ring[RING];
static atomic_size_t produced, consumed;
static const size_t to_produce = 600000;

static void *produce(void *number) {
    uint64_t random = (uintptr_t)number * 17 + 1;
    for (;;) {
        size_t ticket = atomic_fetch_add(&produced, 1);
        if (ticket >= to_produce) return NULL;
        size_t size = ticket % 100 == 0 ? random_size(&random) : next_random(&random) % 500;
        struct node *node = make(size, (unsigned)ticket), *empty = NULL;
        while (!atomic_compare_exchange_weak(&ring[ticket % RING], &empty, node)) {
            empty = NULL;
            sched_yield();
        }
    }
}

static void *consume(void *unused) {
    for (;;) {
        size_t ticket = atomic_fetch_add(&consumed, 1);
        if (ticket >= to_produce) return unused;
        struct node *node;
        while ((node = atomic_exchange(&ring[ticket % RING], NULL)) == NULL) sched_yield();
        unmake(node);
    }
}

/* All blocks are freed by others than who took them. */
static void producers_and_consumers(void) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        EQ(pthread_create(&threads[i], NULL, i % 2 ? produce : consume, (void *)(uintptr_t)i), 0);
    for (int i = 0; i < 8; i++) EQ(pthread_join(threads[i], NULL), 0);
    size_t now = resident();
    CHECK(now < 300 * MIB, "a ring of 4096 small blocks: saw %zu resident", now);
}

static void *grow_what_others_made(void *number) {
    uint64_t random = (uintptr_t)number * 13 + 1;
    for (int i = 0; i < 20000; i++) {
        size_t at = next_random(&random) % 512;
        struct node *node = atomic_exchange(&ring[at], NULL);
        if (node == NULL) {
            node = make(next_random(&random) % 3000, (unsigned)i);
        } else {
            size_t size = sizeof *node + random_size(&random);
            size_t common = (size < node->size ? size : node->size) - sizeof *node;
            unsigned seed = node->seed;
            node = realloc(node, size);
            CHECK(node != NULL, "realloc to %zu: saw NULL", size);
            size_t same = filled_until(node + 1, common / 8 * 8, seed);
            CHECK(same == common / 8 * 8, "realloc to %zu: byte %zu differs", size, same);
            node->size = size;
            fill(node + 1, size - sizeof *node, seed);
        }
        node = atomic_exchange(&ring[at], node);
        if (node != NULL) unmake(node);
    }
    return NULL;
}

static void realloc_by_other_threads(void) {
    in_threads(6, grow_what_others_made);
    for (int i = 0; i < 512; i++) {
        struct node *node = atomic_exchange(&ring[i], NULL);
        if (node != NULL) unmake(node);
    }
}

static atomic_int stop;

static void *ask(void *unused) {
    while (!atomic_load(&stop)) {
        struct mallinfo2 info = mallinfo2();
        CHECK(info.uordblks < 100 * GIB, "uordblks: saw %zu", info.uordblks);
        malloc_trim(0);
        usleep(200);
    }
    return unused;
}

/* Questions about the heap, and its trimming, beside work in all threads. */
static void trim_and_mallinfo_beside_work(void) {
    pthread_t asking;
    EQ(pthread_create(&asking, NULL, ask, NULL), 0);
    for (int round = 0; round < 25; round++) in_threads(4, leave_blocks);
    in_threads(4, use_much);
    atomic_store(&stop, 1);
    EQ(pthread_join(asking, NULL), 0);
    take_all();
}

static void *wait_to_be_cancelled(void *unused) {
    for (;;) {
        free(malloc(100));
        pthread_testcancel();
        usleep(1);
    }
    return unused;
}

static void cancelled_threads(void) {
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        EQ(pthread_create(&thread, NULL, wait_to_be_cancelled, NULL), 0);
        EQ(pthread_cancel(thread), 0);
        EQ(pthread_join(thread, NULL), 0);
    }
}

static void *work_forever(void *number) {
    for (;;) leave_blocks(number), take_all();
    return NULL;
}

/* The process ends while threads are in the middle of it. */
static void exit_beside_work(void) {
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        EQ(pthread_create(&thread, NULL, work_forever, (void *)(uintptr_t)(i + 1)), 0);
        EQ(pthread_detach(thread), 0);
    }
    usleep(100000);
}

/* A thread sends blocks, and another one frees them in the order in which they were sent. Now and then
   a larger one is among them, as channels send: it comes home at other times. The two take turns,
   so that each run is the same. */
enum { SENT = 200000, TAKEN_UP = SENT / 2, LARGER = 31 };

static char *sent[SENT], *larger[SENT / LARGER + 1];
static int sent_so_far;
static pthread_barrier_t turn;

/* Frees what was sent but for the last two or three thousand, and all but each `kept`th of it. */
static void *receive(void *kept) {
    uint64_t random = 7;
    int received = 0;
    for (int seen = 0; seen < SENT;) {
        pthread_barrier_wait(&turn);
        seen = sent_so_far;
        int behind = 2000 + (int)(next_random(&random) % 1000);
        for (; received < seen - behind; received++) {
            if (received % (int)(uintptr_t)kept != 0) free(sent[received]);
            if (received % LARGER == 0) free(larger[received / LARGER]);
        }
        pthread_barrier_wait(&turn);
    }
    return NULL;
}

static void send_to_who_keeps(int kept) {
    pthread_t receiver;
    uint64_t random = 11;
    EQ(pthread_barrier_init(&turn, NULL, 2), 0);
    EQ(pthread_create(&receiver, NULL, receive, (void *)(uintptr_t)kept), 0);
    while (sent_so_far < SENT) {
        int until = sent_so_far + 1 + (int)(next_random(&random) % 300);
        for (; sent_so_far < until && sent_so_far < SENT; sent_so_far++) {
            if (sent_so_far % LARGER == 0) larger[sent_so_far / LARGER] = malloc(504);
            sent[sent_so_far] = malloc(64);
            CHECK(sent[sent_so_far] != NULL, "malloc(64): saw NULL");
        }
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
    }
    EQ(pthread_join(receiver, NULL), 0);
}

/* However long that goes on, nearly every block lies behind the one that was sent before. */
static void what_comes_home_goes_out_in_rows(void) {
    send_to_who_keeps(SENT);
    ptrdiff_t step = sent[1] - sent[0];
    int rows = 0;
    for (int i = TAKEN_UP; i < SENT; i++) rows += sent[i] - sent[i - 1] != step;
    CHECK(reference() || rows < 300, "%d blocks: saw %d rows", SENT - TAKEN_UP, rows);
}

/* Where no 64 KiB of blocks ever come home whole, they are used all the same. */
static void what_never_comes_home_whole_is_used(void) {
    send_to_who_keeps(400);
    static char seen[1 << 16];
    int slots = 0;
    for (int i = TAKEN_UP; i < SENT; i++) {
        char *at = &seen[(uintptr_t)sent[i] >> 16 & 0xffff];
        slots += *at == 0;
        *at = 1;
    }
    CHECK(reference() || slots < 20, "%d blocks: saw %d slots of 64 KiB", SENT - TAKEN_UP, slots);
}

CASES(CASE(a_thousand_threads_leave_blocks), CASE(two_hundred_threads_at_once),
      CASE(threads_of_one_block), CASE(threads_that_only_free),
      CASE(memory_of_ended_threads_is_used_again), CASE(producers_and_consumers),
      CASE(realloc_by_other_threads), CASE(trim_and_mallinfo_beside_work),
      CASE(cancelled_threads), CASE(exit_beside_work),
      CASE(what_comes_home_goes_out_in_rows), CASE(what_never_comes_home_whole_is_used))
