// What runs at a thread's end, and still allocates and frees: destructors of
// thread_local objects (before those of pthread keys), destructors of keys that
// re-arm themselves till glibc gives up, and glibc's own frees after all.
#include "check.h"

#include <limits.h>
#include <malloc.h>
#include <pthread.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> destroyed;

enum { BLOCKS = 20 };

static void work(unsigned seed) {
    uint64_t random = seed + 1;
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        sizes[i] = random_size(&random);
        blocks[i] = malloc(sizes[i]);
        CHECK(blocks[i] != nullptr, "malloc(%zu): saw NULL", sizes[i]);
        fill(blocks[i], sizes[i], seed);
    }
    for (int i = 0; i < BLOCKS; i++) {
        FILLED(blocks[i], sizes[i], seed);
        free(blocks[i]);
    }
}

// Holds blocks from its thread's life, frees and allocates at its end.
struct Holder {
    std::vector<std::string> texts;
    void *left = nullptr;
    bool used = false;
    ~Holder() {
        for (auto &text : texts) CHECK(text == std::string(text.size(), 'h'), "a text changed");
        texts.clear();
        free(left);
        work(5);
        if (used) destroyed++;
    }
};

static thread_local Holder holder;

static void hold() {
    for (int i = 0; i < 50; i++) holder.texts.emplace_back(20 + i * 40, 'h');
    holder.left = realloc(holder.left, 10000);
    holder.used = true;
}

template <typename Run> static void in_threads(int count, Run run) {
    for (int i = 0; i < count; i += 4) {
        std::vector<std::thread> threads;
        for (int j = 0; j < 4; j++) threads.emplace_back(run);
        for (auto &thread : threads) thread.join();
    }
}

static void thread_local_destructors() {
    destroyed = 0;
    in_threads(400, hold);
    EQ(destroyed.load(), 400);
}

// A thread whose only calls are in the destructor.
struct Late {
    int touched = 0;
    ~Late() {
        work(6);
        if (touched) destroyed++;
    }
};
static thread_local Late late;

static void first_call_in_a_destructor() {
    destroyed = 0;
    in_threads(100, [] { late.touched = 1; });
    EQ(destroyed.load(), 100);
}

enum { KEYS = 40 };
static pthread_key_t keys[KEYS];
static thread_local int rounds[KEYS];

// Frees what the key held and holds something new, as long as it is called.
static void rearm(void *value) {
    int index = *(int *)value;
    free(value);
    work((unsigned)index);
    int *again = (int *)malloc(sizeof *again * (size_t)(1 + index * 100));
    *again = index;
    // The last time glibc leaves it to us: nobody frees it any more.
    if (++rounds[index] >= PTHREAD_DESTRUCTOR_ITERATIONS) {
        free(again);
        destroyed++;
        return;
    }
    EQ(pthread_setspecific(keys[index], again), 0);
}

static void arm() {
    for (int i = 0; i < KEYS; i++) {
        rounds[i] = 0;
        int *value = (int *)malloc(sizeof *value * (size_t)(1 + i * 100));
        *value = i;
        EQ(pthread_setspecific(keys[i], value), 0);
    }
}

// Enough keys that glibc has to allocate a second level for them.
static void make_keys() {
    for (int i = 0; i < KEYS; i++) EQ(pthread_key_create(&keys[i], rearm), 0);
}

static void delete_keys() {
    for (int i = 0; i < KEYS; i++) EQ(pthread_key_delete(keys[i]), 0);
}

static void key_destructors_that_rearm() {
    make_keys();
    destroyed = 0;
    in_threads(100, arm);
    EQ(destroyed.load(), 100 * KEYS);
    delete_keys();
}

static void both_at_once() {
    make_keys();
    destroyed = 0;
    in_threads(100, [] {
        hold();
        arm();
    });
    EQ(destroyed.load(), 100 * KEYS + 100);
    delete_keys();
}

// Frees in the last round what another thread of these days made.
static std::atomic<void *> exchange;

static void swap_block(void *value) {
    free(value);
    free(exchange.exchange(malloc(3000)));
    destroyed++;
}

static void blocks_of_others_at_the_end() {
    pthread_key_t key;
    EQ(pthread_key_create(&key, swap_block), 0);
    destroyed = 0;
    in_threads(1000, [key] { EQ(pthread_setspecific(key, malloc(50)), 0); });
    EQ(destroyed.load(), 1000);
    free(exchange.exchange(nullptr));
}

// Blocks that live on, from destructors of each kind, freed by the main thread.
static std::atomic<void *> legacy[400];

static void leave(void *value) {
    int index = *(int *)value;
    free(value);
    legacy[index] = malloc(100 + (size_t)index * 37);
    fill(legacy[index], 100 + (size_t)index * 37, (unsigned)index);
}

static void blocks_made_at_the_end_live_on() {
    pthread_key_t key;
    EQ(pthread_key_create(&key, leave), 0);
    std::atomic<int> next{0};
    in_threads(400, [key, &next] {
        int *value = (int *)malloc(sizeof *value);
        *value = next++;
        EQ(pthread_setspecific(key, value), 0);
    });
    for (int i = 0; i < 400; i++) {
        FILLED(legacy[i].load(), 100 + (size_t)i * 37, (unsigned)i);
        free(legacy[i]);
    }
}

// In all these ends no cache may be lost: memory stays bounded.
static void ends_leave_no_memory_behind() {
    make_keys();
    in_threads(100, [] { arm(), hold(); });
    size_t first = resident();
    in_threads(400, [] { arm(), hold(); });
    size_t last = resident();
    CHECK(last < first + 64 * MIB, "resident: %zu after 100 threads, %zu after 400 more", first,
          last);
    delete_keys();
}

// The main thread leaves by pthread_exit; the process ends with the last thread.
static void main_thread_ends_first() {
    make_keys();
    hold();
    arm();
    std::thread([main = pthread_self()] {
        hold();
        EQ(pthread_join(main, nullptr), 0);
        work(9);
        print("ok main_thread_ends_first\n");
    }).detach();
    pthread_exit(nullptr);
}

CASES(CASE(thread_local_destructors), CASE(first_call_in_a_destructor),
      CASE(key_destructors_that_rearm), CASE(both_at_once), CASE(blocks_of_others_at_the_end),
      CASE(blocks_made_at_the_end_live_on), CASE(ends_leave_no_memory_behind),
      CASE(main_thread_ends_first))
