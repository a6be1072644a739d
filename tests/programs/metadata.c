/* Damages the allocator's own structures, a field a case, has all of them looked at, and puts the
 * field back. Where they are the root structure says (docs/ROOT-STRUCTURE.md). */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

__attribute__((weak)) const void *hakmem_root(void);
__attribute__((weak)) size_t hakmem_verify(void);

/* What the root structure says of a name. */
static uint64_t named(const char *name) {
    const char *root = hakmem_root();
    uint32_t count, bytes;
    memcpy(&count, root + 20, 4);
    memcpy(&bytes, root + 24, 4);
    for (uint32_t i = 0; i < count; i++) {
        const char *entry = root + 32 + (size_t)i * bytes;
        if (strcmp(entry, name) == 0) {
            uint64_t number;
            memcpy(&number, entry + bytes - 8, 8);
            return number;
        }
    }
    CHECK(0, "a root structure that has %s", name);
    return 0;
}

static uint64_t word(uint64_t at) { return *(uint64_t *)at; }

/* The entry of the registry for an address, so many slots on. */
static uint64_t *entry(const void *block, size_t slots) {
    uint64_t registry = named("registry");
    uint64_t base = word(registry + named("registry.base"));
    uint64_t slabs = word(registry + named("registry.slabs"));
    return (uint64_t *)slabs + ((uint64_t)block - base) / named("slot.bytes") + slots;
}

static uint64_t slab_of(const void *block) { return *entry(block, 0); }

static void *block;

static uint64_t field(const char *name) {
    block = hide(malloc(100));
    CHECK(block, "memory");
    return slab_of(block) + named(name);
}

/* Looks, with nothing wrong, with `bits` of a field of so many bytes changed, and with them put
 * back. */
static void change(uint64_t at, size_t bytes, uint64_t bits) {
    uint64_t before = 0, changed;
    EQ(hakmem_verify(), 0);
    memcpy(&before, (void *)at, bytes);
    changed = before ^ bits;
    memcpy((void *)at, &changed, bytes);
    size_t found = hakmem_verify();
    memcpy((void *)at, &before, bytes);
    EQ(found, 1);
    EQ(hakmem_verify(), 0);
    free(block);
}

/* Refills take 16 at once, so their number has that bit. */
static void used(void) { change(field("slab.used"), 2, 16); }

static void summary(void) { change(field("slab.summary"), 8, 1ull << 40); }

static void blocks(void) { change(field("slab.blocks"), 2, 8); }

static void slots(void) { change(field("slab.slots"), 1, 2); }

/* Of a class of one colour. */
static void colour(void) { change(field("slab.colour"), 2, 64); }

static void superslab(void) { change(field("slab.superslab"), 8, 128); }

/* The bit of a block that the program has. */
static void free_bit(void) {
    uint64_t words = word(field("slab.free"));
    uint64_t slab = slab_of(block);
    uint64_t bytes = 112 + 16;
    uint64_t index = ((uint64_t)block - word(slab + named("slab.start"))) / bytes;
    change(words + index / 64 * 8, 8, 1ull << index % 64);
}

/* A slot that a slab has is said to be free. */
static void slot_free(void) {
    uint64_t slab = slab_of(block = hide(malloc(100)));
    uint64_t record = word(slab + named("slab.superslab"));
    uint64_t base = word(record + named("superslab.base"));
    uint64_t slot = (word(slab + named("slab.start")) - base) / named("slot.bytes");
    change(record + named("superslab.free"), 4, 1ull << slot);
}

/* An entry leads to another slab than its neighbours. */
static void registry(void) {
    block = hide(malloc(5000));
    void *other = hide(malloc(100));
    CHECK(block && other, "memory");
    uint64_t *second = entry(block, 1);
    change((uint64_t)second, 8, *second ^ slab_of(other));
    free(other);
}

/* A whole number of slots, and what is more than a mebibyte: units. */
static uint64_t run(const char *name) {
    block = hide(malloc(100 * KIB));
    CHECK(block, "memory");
    return slab_of(block) + named(name);
}

static uint64_t mapping(const char *name) {
    block = hide(malloc(3 * MIB));
    CHECK(block, "memory");
    return slab_of(block) + named(name);
}

static void kind(void) { change(field("slab.kind"), 1, 1); }

static void kind_of_run(void) { change(run("slab.kind"), 1, 2 ^ 3); }

static void kind_of_run_is_blocks(void) { change(run("slab.kind"), 1, 2 ^ 1); }

static void kind_of_mapping(void) { change(mapping("slab.kind"), 1, 3); }

static void owner(void) { change(field("slab.owner"), 8, 1 << 12); }

static void owner_of_run(void) { change(run("slab.owner"), 8, (uint64_t)&block); }

static void run_blocks(void) { change(run("slab.blocks"), 2, 4); }

static void run_used(void) { change(run("slab.used"), 2, 3); }

static void run_slots(void) { change(run("slab.slots"), 1, 1); }

static void run_pages(void) { change(run("slab.pages"), 4, 8); }

static void run_superslab(void) { change(run("slab.superslab"), 8, 128); }

static void run_start(void) { change(run("slab.start"), 8, 1 << 24); }

static void run_slot_free(void) {
    uint64_t record = word(run("slab.superslab"));
    uint64_t slot = ((uint64_t)block - word(record + named("superslab.base"))) / named("slot.bytes");
    change(record + named("superslab.free"), 4, 2ull << slot);
}

/* The second slot's entry leads nowhere. */
static void run_entry(void) {
    uint64_t slab = run("slab.start") - named("slab.start");
    change((uint64_t)entry(block, 1), 8, slab);
}

/* Frees would go to a thread's front. */
static void run_owner_entry(void) {
    run("slab.start");
    uint64_t registry = named("registry");
    uint64_t slot = entry(block, 0) - (uint64_t *)word(registry + named("registry.slabs"));
    change(word(registry + named("registry.owners")) + 8 * slot, 8, 1 << 12);
}

static void mapping_used(void) { change(mapping("slab.used"), 2, 1); }

static void mapping_slots(void) { change(mapping("slab.slots"), 1, 1); }

static void mapping_superslab(void) { change(mapping("slab.superslab"), 8, 128); }

static void mapping_pages(void) { change(mapping("slab.pages"), 4, 1); }

static void mapping_start(void) { change(mapping("slab.start"), 8, 1ull << 32); }

/* Of its two units it has one: less than was asked for. */
static void mapping_shrunk(void) { change(mapping("slab.pages"), 4, 1024 ^ 512); }

/* It reaches into the next one. */
static void mapping_grown(void) {
    uint64_t at = mapping("slab.pages");
    void *next = hide(malloc(3 * MIB));
    CHECK(next == (char *)block + 4 * MIB, "the next units, not %p behind %p", next, block);
    change(at, 4, 1024 ^ 2048);
    free(next);
}

/* It reaches into units that nobody has. */
static void mapping_beyond(void) { change(mapping("slab.pages"), 4, 1024 ^ 2048); }

/* It reaches into units that wait for somebody. */
static void mapping_into_stock(void) {
    uint64_t at = mapping("slab.pages");
    void *next = hide(malloc(3 * MIB));
    CHECK(next == (char *)block + 4 * MIB, "the next units, not %p behind %p", next, block);
    free(next);
    change(at, 4, 1024 ^ 2048);
}

/* A thread that has ended, and left a block; another one that runs, so that nobody may think that it
 * is alone. */
static void *ends(void *size) {
    block = hide(malloc((size_t)size));
    CHECK(block, "memory");
    /* What it has at hand stays there. */
    free(hide(malloc((size_t)size)));
    return NULL;
}

static sem_t is_running;

static void *runs(void *unused) {
    free(hide(malloc(1000)));
    sem_post(&is_running);
    for (;;) pause();
    return unused;
}

/* The cache that the block's owner has left. */
static uint64_t parked(void) {
    pthread_t thread, other;
    EQ(sem_init(&is_running, 0, 0), 0);
    EQ(pthread_create(&other, NULL, runs, NULL), 0);
    EQ(sem_wait(&is_running), 0);
    EQ(pthread_create(&thread, NULL, ends, (void *)100), 0);
    EQ(pthread_join(thread, NULL), 0);
    uint64_t cache = word(slab_of(block) + named("slab.owner")) - named("cache.inbox");
    uint32_t state;
    memcpy(&state, (void *)(cache + named("cache.state")), 4);
    EQ(state, 2);
    return cache;
}

static void parked_used(void) {
    parked();
    change(slab_of(block) + named("slab.used"), 2, 16);
}

static void parked_summary(void) {
    parked();
    change(slab_of(block) + named("slab.summary"), 8, 1ull << 40);
}

static void parked_registry(void) {
    parked();
    change(slab_of(block) + named("slab.superslab"), 8, 128);
}

static void parked_state(void) { change(parked() + named("cache.state"), 4, 3); }

static void parked_busy(void) { change(parked() + named("cache.busy"), 4, 1); }

/* What the cache has of the block's class: a bin, and a shelf. */
static uint64_t of_class(const char *all, const char *bytes, const char *name) {
    uint64_t cache = parked();
    uint8_t class;
    memcpy(&class, (void *)(slab_of(block) + named("slab.class")), 1);
    return cache + named(all) + class * named(bytes) + named(name);
}

static uint64_t of_bin(const char *name) { return of_class("cache.bins", "bin.bytes", name); }

static uint64_t of_shelf(const char *name) { return of_class("cache.shelves", "shelf.bytes", name); }

static void parked_top(void) { change(of_bin("bin.top"), 8, 1 << 20); }

static void parked_top_between(void) { change(of_bin("bin.top"), 8, 4); }

static void parked_end(void) { change(of_bin("bin.end"), 8, 8); }

/* An entry is a block that the cache has not. */
static void parked_entry(void) {
    uint64_t top = word(of_bin("bin.top"));
    change(top - 8, 8, 8);
}

static void parked_list(void) { change(of_shelf("shelf.list.len"), 4, 1); }

static void parked_list_head(void) { change(of_shelf("shelf.list.head"), 8, 1 << 20); }

/* What stands behind a large block is looked at while others run as well. */
static void overrun(void) {
    parked();
    char *large = hide(malloc(100 * KIB));
    CHECK(large, "memory");
    char before = large[100 * KIB + 3000];
    EQ(hakmem_verify(), 0);
    large[100 * KIB + 3000] = 1;
    size_t found = hakmem_verify();
    large[100 * KIB + 3000] = before;
    EQ(found, 1);
    EQ(hakmem_verify(), 0);
    free(large);
}

/* Threads begin, end, resize and free meanwhile, and nothing is found. */
static _Atomic int is_over;

static void *short_life(void *blocks) {
    free(blocks);
    free(hide(malloc(200)));
    return hide(malloc(300));
}

static void *starts_others(void *unused) {
    void *left = NULL;
    while (!is_over) {
        pthread_t thread;
        EQ(pthread_create(&thread, NULL, short_life, left), 0);
        EQ(pthread_join(thread, &left), 0);
    }
    free(left);
    return unused;
}

static void *resizes(void *unused) {
    for (size_t i = 0; !is_over; i++) {
        char *large = hide(malloc(5 * MIB));
        CHECK(large, "memory");
        large = hide(realloc(large, (3 + i % 9) * MIB));
        free(hide(malloc(40 * KIB + i % 16 * 64 * KIB)));
        large = hide(realloc(large, (2 + i % 5) * MIB));
        free(large);
    }
    return unused;
}

static void busy_threads(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        EQ(pthread_create(&threads[i], NULL, i % 2 ? resizes : starts_others, NULL), 0);
    }
    for (int i = 0; i < 200; i++) EQ(hakmem_verify(), 0);
    is_over = 1;
    for (int i = 0; i < 4; i++) EQ(pthread_join(threads[i], NULL), 0);
}

CASES(CASE(used), CASE(summary), CASE(blocks), CASE(slots), CASE(colour), CASE(superslab), CASE(free_bit),
      CASE(slot_free), CASE(registry), CASE(kind), CASE(owner), CASE(kind_of_run),
      CASE(kind_of_run_is_blocks), CASE(kind_of_mapping), CASE(owner_of_run),
      CASE(run_blocks), CASE(run_used), CASE(run_slots), CASE(run_pages), CASE(run_superslab),
      CASE(run_start), CASE(run_slot_free), CASE(run_entry), CASE(run_owner_entry),
      CASE(mapping_used), CASE(mapping_slots), CASE(mapping_superslab), CASE(mapping_pages),
      CASE(mapping_start), CASE(mapping_shrunk), CASE(mapping_grown), CASE(mapping_beyond),
      CASE(mapping_into_stock), CASE(parked_used), CASE(parked_summary),
      CASE(parked_registry), CASE(parked_state), CASE(parked_busy), CASE(parked_top),
      CASE(parked_top_between), CASE(parked_end), CASE(parked_entry), CASE(parked_list),
      CASE(parked_list_head), CASE(overrun), CASE(busy_threads))
