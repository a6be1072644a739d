/* Large blocks that come and go: what they hold, and what they cost the process. */
#include "check.h"

struct slot {
    unsigned char *start;
    size_t size;
};

/* Each block full of its own pattern, or of zeros, whatever it was made of. */
static void blocks_keep_what_they_hold(void) {
    enum { SLOTS = 10, ROUNDS = 600 };
    struct slot slots[SLOTS] = {{0}};
    uint64_t random = 42;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned slot = (unsigned)(next_random(&random) % SLOTS);
        if (slots[slot].start != NULL) {
            FILLED(slots[slot].start, slots[slot].size, slot);
            free(slots[slot].start);
        }
        size_t size = MIB + next_random(&random) % (16 * MIB);
        int zero = round % 3 == 0;
        unsigned char *start = zero ? calloc(1, size) : malloc(size);
        CHECK(start != NULL, "%zu bytes: saw NULL", size);
        for (size_t at = 0; zero && at < size; at += 512)
            CHECK(start[at] == 0, "calloc(%zu): byte %zu is %d", size, at, start[at]);
        fill(start, size, slot);
        slots[slot].start = start;
        slots[slot].size = size;
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) free(slots[slot].start);
}

static int mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL, "/proc/self/maps cannot be read");
    int lines = 0;
    for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
    fclose(maps);
    return lines;
}

/* Blocks made of what many small ones have left, more of them than a process may have
 * mappings if each took one. */
static void mappings_stay_few(void) {
    enum { ROUNDS = 2000, HOLES = 24 };
    void *blocks[2 * HOLES];
    static void *kept[ROUNDS * HOLES / 2];
    size_t count = 0;
    int most = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2 * HOLES; i++) blocks[i] = malloc(3 * MIB / 2);
        for (int i = 0; i < 2 * HOLES; i++) CHECK(blocks[i] != NULL, "malloc: saw NULL");
        for (int i = 0; i < 2 * HOLES; i += 2) free(blocks[i]);
        for (int i = 0; i < HOLES / 2; i++) {
            kept[count] = malloc(3 * MIB);
            CHECK(kept[count] != NULL, "malloc(3 MiB): saw NULL after %zu", count);
            count++;
        }
        for (int i = 1; i < 2 * HOLES; i += 2) free(blocks[i]);
        if (round % 100 == 99) {
            int now = mappings();
            if (now > most) most = now;
        }
    }
    CHECK(most < 5000, "%d mappings", most);
    while (count > 0) free(kept[--count]);
    void *block = malloc(64 * MIB);
    CHECK(block != NULL, "malloc(64 MiB): saw NULL");
    fill(block, 64 * MIB, 1);
    free(block);
}

/* What the pages' move serves works without it as well. */
static void sizes_that_fit_nowhere(void) {
    for (size_t size = 3 * MIB / 2; size < 40 * MIB; size += 3 * MIB / 2) {
        unsigned char *first = malloc(size), *behind = malloc(MIB + 1);
        CHECK(first != NULL && behind != NULL, "malloc(%zu): saw NULL", size);
        memset(first, 1, 64);
        unsigned char *grown = realloc(first, size + 7 * MIB);
        CHECK(grown != NULL, "realloc(%zu): saw NULL", size + 7 * MIB);
        for (int i = 0; i < 64; i++) EQ(grown[i], 1);
        unsigned char *again = realloc(grown, size + 20 * MIB);
        CHECK(again != NULL, "realloc(%zu): saw NULL", size + 20 * MIB);
        for (int i = 0; i < 64; i++) EQ(again[i], 1);
        free(behind);
        free(again);
    }
}

/* The stock of freed blocks has a bound, whatever waits in it already. */
static void what_is_freed_goes_back(void) {
    unsigned char *small = malloc(3 * MIB / 2), *between = malloc(3 * MIB / 2);
    size_t size = 512 * MIB;
    unsigned char *large = malloc(size);
    CHECK(small != NULL && between != NULL && large != NULL, "malloc: saw NULL");
    size_t before = resident();
    memset(large, 1, size);
    free(small);
    free(large);
    size_t after = resident();
    CHECK(after < before + 48 * MIB, "%zu bytes are resident, %zu before", after, before);
    free(between);
}

/* A block that grows takes the place of what it grew out of, and nobody else's. */
static void runs_grow_where_they_are(void) {
    unsigned char *first = malloc(512 * KIB);
    CHECK(first != NULL, "malloc(512 KiB): saw NULL");
    fill(first, 512 * KIB, 1);
    unsigned char *second = realloc(first, 576 * KIB);
    CHECK(second != NULL, "realloc(576 KiB): saw NULL");
    unsigned char *third = realloc(second, MIB);
    CHECK(third == second, "realloc(1 MiB) of %p: saw %p", (void *)second, (void *)third);
    FILLED(third, 512 * KIB, 1);
    CHECK(malloc_usable_size(third) >= MIB, "%zu bytes can be used", malloc_usable_size(third));
    free(third);

    enum { SLOTS = 12, ROUNDS = 20000 };
    struct slot slots[SLOTS] = {{0}};
    uint64_t random = 42;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned slot = (unsigned)(next_random(&random) % SLOTS);
        size_t old = slots[slot].size, size = 40 * KIB + next_random(&random) % (MIB + 64 * KIB);
        unsigned char *start = realloc(slots[slot].start, size);
        CHECK(start != NULL, "realloc(%zu): saw NULL", size);
        size_t kept = old < size ? old : size;
        /* The ends are what a neighbour would have. */
        for (size_t at = 0; at < kept; at += at < 64 || at + 65 > kept ? 1 : kept - 128)
            CHECK(start[at] == slot, "byte %zu of %zu is %d, not %u", at, kept, start[at], slot);
        memset(start, (int)slot, size);
        slots[slot].start = start;
        slots[slot].size = size;
        if (round % 7 == 0) {
            free(start);
            slots[slot].start = NULL;
            slots[slot].size = 0;
        }
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) free(slots[slot].start);
}

CASES(CASE(blocks_keep_what_they_hold), CASE(mappings_stay_few), CASE(runs_grow_where_they_are),
      CASE(sizes_that_fit_nowhere), CASE(what_is_freed_goes_back))
