/* Programs that are wrong. `misuse KIND TIER [SECOND]` prints the pointer that
 * it abuses, a line "pointer 0x…", and then does so. What is to be caught later,
 * when blocks leave the thread's cache, is given every occasion: by frees alone
 * (a block that goes out again through malloc first is not checked), from this
 * thread, from others, at their ends.
 *
 * It exits with 0 if nothing was caught. */
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

/* A size of each tier, and how many of these blocks are surely more than a
 * thread caches and fill several slabs. */
static const struct tier {
    const char *name;
    size_t size, count;
} tiers[] = {{"tiny", 64, 40000},      {"tiny_large", 2000, 8000}, {"pool", 5000, 4000},
             {"mid", 20000, 1000},     {"large", 300 * KIB, 40},   {"mapping", 5 * MIB, 8},
             {NULL, 0, 0}};

static const struct tier *tier_named(const char *name) {
    for (const struct tier *tier = tiers; tier->name; tier++)
        if (strcmp(tier->name, name) == 0) return tier;
    say("no tier is named %s\n", name);
    exit(2);
}

static void announce(const void *pointer) { print("pointer %p\n", pointer); }

/* A page with readable memory on both sides, not the allocator's. */
static char *own_mapping(void) {
    char *pages = mmap(NULL, 3 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED, "mmap failed");
    return pages;
}

static char in_data[4096] __attribute__((aligned(64)));

static void *foreign(const char *kind, void *on_stack) {
    if (strcmp(kind, "stack") == 0) return on_stack;
    if (strcmp(kind, "static") == 0) return in_data + 64;
    if (strcmp(kind, "mmap") == 0) return own_mapping();
    if (strcmp(kind, "mmap_middle") == 0) return own_mapping() + MIB + 4096 + 32;
    if (strcmp(kind, "mmap_aligned") == 0)
        return (void *)(((uintptr_t)own_mapping() + 2 * MIB - 1) & ~(2 * MIB - 1));
    if (strcmp(kind, "code") == 0) return (void *)(uintptr_t)foreign;
    if (strcmp(kind, "low") == 0) return (void *)0x1234;
    if (strcmp(kind, "one") == 0) return (void *)1;
    if (strcmp(kind, "high") == 0) return (void *)(uintptr_t)-16;
    if (strcmp(kind, "kernel") == 0) return (void *)0xffff888000001000;
    if (strcmp(kind, "not_canonical") == 0) return (void *)0xdead00000000b000;
    if (strcmp(kind, "freed_mapping") == 0) {
        void *block = malloc(9 * MIB);
        free(block);
        return block;
    }
    /* In the same region as the allocator's blocks, but far from any. */
    if (strcmp(kind, "far_from_block") == 0)
        return (void *)(((uintptr_t)malloc(64) + 3 * GIB) & ~(uintptr_t)15);
    say("no kind is named %s\n", kind);
    exit(2);
}

static void abuse_foreign(const char *kind, const char *call) {
    char on_stack[256] __attribute__((aligned(64)));
    void *kept[8];
    for (int i = 0; i < 8; i++) kept[i] = malloc(100);
    void *pointer = hide(foreign(kind, on_stack + 64));
    announce(pointer);
    if (strcmp(call, "free") == 0) free(pointer);
    if (strcmp(call, "realloc") == 0) hide(realloc(pointer, 1000));
    if (strcmp(call, "reallocarray") == 0) hide(reallocarray(pointer, 10, 100));
    if (strcmp(call, "realloc_to_zero") == 0) hide(realloc(pointer, 0));
    for (int i = 0; i < 8; i++) free(kept[i]);
}

static void **blocks;

static void take(const struct tier *tier) {
    blocks = mmap(NULL, tier->count * sizeof *blocks, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < tier->count; i++) {
        blocks[i] = malloc(tier->size);
        CHECK(blocks[i] != NULL, "malloc(%zu): saw NULL", tier->size);
        memset(blocks[i], 1, 32);
    }
}

/* Frees one in two of the others, so that slabs stay partly in use. */
static void free_half(const struct tier *tier, size_t victim) {
    for (size_t i = 0; i < tier->count; i += 2)
        if (i != victim) free(blocks[i]);
}

static void free_rest(const struct tier *tier, size_t victim) {
    for (size_t i = 1; i < tier->count; i += 2)
        if (i != victim) free(blocks[i]);
}

/* Takes twice as much as there was and gives it back. */
static void churn(const struct tier *tier) {
    size_t count = 2 * tier->count;
    void **more = mmap(NULL, count * sizeof *more, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < count; i++) more[i] = malloc(tier->size);
    for (size_t i = 0; i < count; i++) free(more[i]);
}

static void *free_in_thread(void *pointer) {
    free(pointer);
    return NULL;
}

static void in_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    EQ(pthread_create(&thread, NULL, run, argument), 0);
    EQ(pthread_join(thread, NULL), 0);
}

static void *churn_in_thread(void *tier) {
    churn((const struct tier *)tier);
    return NULL;
}

/* The address of a slot that begins in front of a slab's first block: no block begins there, nor is any
 * around it. */
static char *in_front(const struct tier *tier) {
    for (size_t i = 0; i < tier->count; i++) {
        char *slot = (char *)((uintptr_t)blocks[i] & ~(uintptr_t)0xffff);
        size_t bytes = malloc_usable_size(blocks[i]);
        if ((size_t)((char *)blocks[i] - slot) > bytes) continue;
        size_t around = 0;
        for (size_t j = 0; j < tier->count; j++) around += (size_t)(slot - (char *)blocks[j]) < bytes;
        if (!around) return slot;
    }
    say("each slab begins with a block\n");
    exit(2);
}

/* The wrong free is in the middle of many right ones, and far from the slab
 * that the thread takes blocks from. */
static void abuse_block(const char *kind, const struct tier *tier) {
    take(tier);
    size_t victim = tier->count / 4 * 2 + 1;
    char *pointer = hide(blocks[victim]);
    if (strcmp(kind, "interior") == 0) pointer += 16;
    if (strcmp(kind, "interior_odd") == 0) pointer += 1;
    if (strcmp(kind, "interior_far") == 0) pointer += (tier->size / 2) & ~(size_t)15;
    if (strcmp(kind, "interior_page") == 0) pointer += 4096;
    if (strcmp(kind, "in_front") == 0) pointer = in_front(tier);
    announce(pointer);

    if (strncmp(kind, "in", 2) == 0) {
        free(pointer);
    } else if (strcmp(kind, "double") == 0) {
        free(pointer);
        free(hide(pointer));
    } else if (strcmp(kind, "double_later") == 0) {
        free(pointer);
        free_half(tier, victim);
        free(hide(pointer));
    } else if (strcmp(kind, "double_second_remote") == 0) {
        free(pointer);
        in_thread(free_in_thread, hide(pointer));
    } else if (strcmp(kind, "double_second_remote_later") == 0) {
        free(pointer);
        free_half(tier, victim);
        in_thread(free_in_thread, hide(pointer));
    } else if (strcmp(kind, "double_first_remote") == 0) {
        in_thread(free_in_thread, pointer);
        free(hide(pointer));
    } else if (strcmp(kind, "double_both_remote") == 0) {
        in_thread(free_in_thread, pointer);
        in_thread(free_in_thread, hide(pointer));
    } else {
        say("no kind is named %s\n", kind);
        exit(2);
    }
    if (strcmp(kind, "double_later") != 0 && strcmp(kind, "double_second_remote_later") != 0)
        free_half(tier, victim);
    free_rest(tier, victim);
    churn(tier);
}

struct abuse {
    const char *kind;
    const struct tier *tier;
};

static void *abuse_block_in_thread(void *argument) {
    struct abuse *abuse = argument;
    abuse_block(abuse->kind, abuse->tier);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "foreign") == 0) {
        abuse_foreign(argv[2], argv[3]);
    } else if (argc == 4 && strcmp(argv[1], "main") == 0) {
        const struct tier *tier = tier_named(argv[3]);
        abuse_block(argv[2], tier);
        in_thread(churn_in_thread, (void *)tier);
    } else if (argc == 4 && strcmp(argv[1], "thread") == 0) {
        struct abuse abuse = {argv[2], tier_named(argv[3])};
        in_thread(abuse_block_in_thread, &abuse);
        /* Whoever inherits the thread's cache. */
        in_thread(churn_in_thread, (void *)abuse.tier);
        churn(abuse.tier);
    } else {
        say("usage: %s foreign KIND CALL | main KIND TIER | thread KIND TIER\n", argv[0]);
        return 2;
    }
    malloc_trim(0);
    print("nothing was caught\n");
    return 0;
}
