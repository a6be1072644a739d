/* Damages the allocator's own structures, a field a case, has all of them looked at, and puts the
 * field back. Where they are the root structure says (docs/ROOT-STRUCTURE.md). */
#include "check.h"
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

CASES(CASE(used), CASE(summary), CASE(blocks), CASE(slots), CASE(superslab), CASE(free_bit),
      CASE(slot_free), CASE(registry))
