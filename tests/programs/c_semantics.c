/* The C front end: what glibc's manual pages promise of each function, and what
 * programs have come to expect beyond that. */
#include "check.h"

#include <malloc.h>

/* By hand: older headers lack them. */
extern void free_sized(void *pointer, size_t size) __attribute__((weak));
extern void free_aligned_sized(void *pointer, size_t alignment, size_t size)
    __attribute__((weak));

/* Sizes around every border between classes and tiers, up to 40 MiB. */
static const size_t border_sizes[] = {
    1, 7, 8, 15, 16, 17, 24, 32, 33, 64, 100, 127, 128, 129, 160, 161, 255, 256, 257,
    511, 512, 513, 1000, 1023, 1024, 1025, 1792, 2047, 2048, 2049, 3000, 4095, 4096, 4097,
    6000, 8191, 8192, 8193, 10000, 16383, 16384, 16385, 20000, 32767, 32768, 32769,
    50000, 65535, 65536, 65537, 100000, 131072, 200000, 262144, 500000, 524288, 1000000,
    1048575, 1048576, 1048577, 1500000, 2097151, 2097152, 2097153, 4194304, 5000000,
    10000000, 41943040};
#define BORDERS (sizeof border_sizes / sizeof border_sizes[0])

#define NO_MEMORY(call)                                                        \
    do {                                                                       \
        errno = 0;                                                             \
        void *pointer_ = hide(call);                                           \
        int errno_ = errno;                                                    \
        CHECK(pointer_ == NULL, "%s: expected NULL, saw %p", #call, pointer_); \
        CHECK(errno_ == ENOMEM, "%s: expected errno ENOMEM, saw %d", #call, errno_); \
    } while (0)

static void malloc_of_zero_is_unique(void) {
    enum { COUNT = 3000 };
    static void *pointers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pointers[i] = i % 3 == 0 ? malloc(0) : i % 3 == 1 ? calloc(0, 8) : calloc(8, 0);
        CHECK(pointers[i] != NULL, "expected a pointer for size 0, saw NULL");
        ALIGNED(pointers[i], 16);
        for (int j = 0; j < i; j += 7)
            CHECK(pointers[i] != pointers[j], "%p was given out twice", pointers[i]);
        CHECK(i == 0 || pointers[i] != pointers[i - 1], "%p was given out twice", pointers[i]);
    }
    for (int i = 0; i < COUNT; i++) free(pointers[i]);
}

static void huge_sizes_fail_with_enomem(void) {
    const size_t huge[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX,        SIZE_MAX - 1,
                           SIZE_MAX - 7,            SIZE_MAX - 15,   SIZE_MAX - 16,
                           SIZE_MAX - 4095,         SIZE_MAX - 4096, SIZE_MAX - 65535,
                           SIZE_MAX - 65536,        SIZE_MAX - 2 * MIB, SIZE_MAX / 2 + 4096,
                           (size_t)PTRDIFF_MAX,     (size_t)PTRDIFF_MAX - 65536};
    void *kept = malloc(100);
    fill(kept, 100, 1);
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        size_t size = hide_size(huge[i]);
        NO_MEMORY(malloc(size));
        NO_MEMORY(calloc(1, size));
        NO_MEMORY(calloc(size, 1));
        NO_MEMORY(realloc(NULL, size));
        NO_MEMORY(realloc(kept, size));
        NO_MEMORY(reallocarray(kept, size, 1));
        NO_MEMORY(memalign(64, size));
        NO_MEMORY(aligned_alloc(4096, size));
        NO_MEMORY(valloc(size));
        NO_MEMORY(pvalloc(size));
        void *untouched = &size;
        EQ(posix_memalign(&untouched, 64, size), ENOMEM);
        CHECK(untouched == &size, "posix_memalign wrote %p though it failed", untouched);
        FILLED(kept, 100, 1);
    }
    free(kept);
}

static void products_that_overflow_fail(void) {
    const size_t root = (size_t)1 << 32;
    const size_t factors[][2] = {{root, root},         {SIZE_MAX, 2},       {2, SIZE_MAX},
                                 {SIZE_MAX, SIZE_MAX}, {SIZE_MAX / 2, 3},   {root + 1, root - 1},
                                 {SIZE_MAX / 16 + 1, 16}, {root * 16 + 1, root}};
    void *kept = malloc(5000);
    fill(kept, 5000, 2);
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        size_t count = hide_size(factors[i][0]), size = hide_size(factors[i][1]);
        NO_MEMORY(calloc(count, size));
        NO_MEMORY(reallocarray(NULL, count, size));
        NO_MEMORY(reallocarray(kept, count, size));
        FILLED(kept, 5000, 2);
    }
    free(kept);
    void *grown = reallocarray(reallocarray(NULL, 100, 7), 1000, 7);
    CHECK(grown != NULL, "expected 7000 bytes of reallocarray, saw NULL");
    fill(grown, 7000, 3);
    FILLED(grown, 7000, 3);
    free(grown);
}

/* Takes `count` blocks, dirties and frees them, and looks whether calloc, which
 * then gets them back, clears them. */
static void calloc_after_dirt(size_t size, size_t count) {
    static unsigned char *blocks[256];
    CHECK(count <= 256, "too many");
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        CHECK(blocks[i] != NULL, "malloc(%zu): saw NULL", size);
        memset(blocks[i], 0xA5, malloc_usable_size(blocks[i]));
    }
    for (size_t i = 0; i < count; i++) free(blocks[i]);
    for (size_t i = 0; i < count; i++) {
        size_t parts = size % 8 == 0 ? 8 : size % 3 == 0 ? 3 : 1;
        blocks[i] = i % 2 ? calloc(parts, size / parts) : calloc(1, size);
        CHECK(blocks[i] != NULL, "calloc of %zu: saw NULL", size);
        ZEROED(blocks[i], size);
        memset(blocks[i], 0x5A, size);
    }
    for (size_t i = 0; i < count; i++) free(blocks[i]);
}

static void calloc_clears_reused_memory(void) {
    for (size_t size = 1; size <= 2100; size++) calloc_after_dirt(size, 40);
    for (size_t size = 2101; size <= 64 * KIB; size += 509) calloc_after_dirt(size, 20);
    for (size_t i = 0; i < BORDERS; i++) calloc_after_dirt(border_sizes[i], 3);
}

static void calloc_clears_fresh_memory(void) {
    for (size_t i = 0; i < BORDERS; i++) {
        unsigned char *block = calloc(1, border_sizes[i]);
        CHECK(block != NULL, "calloc of %zu: saw NULL", border_sizes[i]);
        ZEROED(block, border_sizes[i]);
        free(block);
    }
}

static void every_result_is_aligned_to_16(void) {
    for (size_t size = 0; size <= 70000; size += size < 4200 ? 1 : 97) {
        void *a = malloc(size), *b = calloc(1, size), *c = realloc(NULL, size);
        void *d = realloc(malloc(1), size + 1), *e = realloc(malloc(100000), size + 1);
        ALIGNED(a, 16);
        ALIGNED(b, 16);
        ALIGNED(c, 16);
        ALIGNED(d, 16);
        ALIGNED(e, 16);
        free(a), free(b), free(c), free(d), free(e);
    }
    for (size_t i = 0; i < BORDERS; i++) {
        void *block = malloc(border_sizes[i]);
        ALIGNED(block, _Alignof(max_align_t));
        free(block);
    }
}

static void realloc_of_null_allocates(void) {
    for (size_t i = 0; i < BORDERS; i++) {
        void *block = realloc(NULL, border_sizes[i]);
        CHECK(block != NULL, "realloc(NULL, %zu): saw NULL", border_sizes[i]);
        fill(block, border_sizes[i], (unsigned)i);
        FILLED(block, border_sizes[i], (unsigned)i);
        free(block);
    }
    void *block = realloc(NULL, 0);
    CHECK(block != NULL, "realloc(NULL, 0) is malloc(0): saw NULL");
    free(block);
}

static void realloc_to_zero_frees(void) {
    const size_t sizes[] = {1, 100, 2048, 5000, 20000, MIB / 2, MIB, 4 * MIB};
    size_t before = resident();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t touched = 0; touched < GIB; touched += sizes[i] + 4096) {
            void *block = malloc(sizes[i]);
            CHECK(block != NULL, "malloc(%zu): saw NULL", sizes[i]);
            if (touched < 600 * MIB) memset(block, 1, sizes[i]);
            void *nothing = i % 2 ? realloc(block, 0) : reallocarray(block, hide_size(0), 8);
            CHECK(nothing == NULL, "realloc(p, 0): expected NULL as of glibc, saw %p", nothing);
        }
    size_t after = resident();
    CHECK(after < before + 256 * MIB,
          "realloc(p, 0) has to free: resident went from %zu to %zu", before, after);
}

static void realloc_keeps_the_content(void) {
    for (size_t i = 0; i < BORDERS; i++)
        for (size_t j = 0; j < BORDERS; j++) {
            size_t from = border_sizes[i], to = border_sizes[j];
            /* Each pair of the small, each fifth of those with megabytes. */
            if ((from > MIB || to > MIB) && (i + j) % 5 != 0) continue;
            size_t common = from < to ? from : to;
            void *block = malloc(from);
            CHECK(block != NULL, "malloc(%zu): saw NULL", from);
            fill(block, from, 7);
            block = realloc(block, to);
            CHECK(block != NULL, "realloc from %zu to %zu: saw NULL", from, to);
            size_t same = filled_until(block, common / 8 * 8, 7);
            CHECK(same == common / 8 * 8, "realloc from %zu to %zu: byte %zu differs", from, to,
                  same);
            memset(block, 1, to);
            free(block);
        }
}

static void realloc_keeps_the_last_bytes(void) {
    for (size_t from = 1; from < 600; from++)
        for (size_t to = 1; to < 600; to += 13) {
            unsigned char *block = malloc(from);
            for (size_t i = 0; i < from; i++) block[i] = (unsigned char)(i * 31 + from);
            block = realloc(block, to);
            for (size_t i = 0; i < from && i < to; i++)
                CHECK(block[i] == (unsigned char)(i * 31 + from),
                      "realloc from %zu to %zu: byte %zu differs", from, to, i);
            free(block);
        }
}

static void realloc_grows_step_by_step(void) {
    enum { CHAINS = 4 };
    const size_t steps[CHAINS] = {1, 111, 4099, 1 * MIB + 3};
    for (int chain = 0; chain < CHAINS; chain++) {
        size_t limit = chain == 3 ? 40 * MIB : steps[chain] * 3000, size = 0;
        unsigned char *block = NULL;
        while (size < limit) {
            block = realloc(block, size + steps[chain]);
            CHECK(block != NULL, "realloc to %zu: saw NULL", size + steps[chain]);
            memset(block + size, (int)(size % 251), steps[chain]);
            size += steps[chain];
        }
        for (size_t at = 0; at < size; at += steps[chain])
            CHECK(block[at] == at % 251 && block[at + steps[chain] - 1] == at % 251,
                  "after growth in steps of %zu byte %zu differs", steps[chain], at);
        while (size > steps[chain]) {
            size -= steps[chain];
            block = realloc(block, size);
            CHECK(block != NULL, "realloc down to %zu: saw NULL", size);
            CHECK(block[size - 1] == (size - steps[chain]) % 251,
                  "after shrinking to %zu the last byte differs", size);
        }
        free(block);
    }
}

static void a_failed_realloc_keeps_the_block(void) {
    for (size_t i = 0; i < BORDERS; i++) {
        void *block = malloc(border_sizes[i]);
        fill(block, border_sizes[i], 5);
        NO_MEMORY(realloc(block, hide_size(PTRDIFF_MAX - 4096)));
        FILLED(block, border_sizes[i], 5);
        free(block);
    }
}

static void realloc_of_aligned_blocks(void) {
    for (size_t alignment = 32; alignment <= 4 * MIB; alignment *= 2)
        for (size_t size = 10; size <= 2 * MIB; size = size * 7 + 1) {
            void *block = memalign(alignment, size);
            ALIGNED(block, alignment);
            fill(block, size, 11);
            block = realloc(block, size * 2);
            CHECK(block != NULL, "realloc of memalign(%zu, %zu): saw NULL", alignment, size);
            size_t same = filled_until(block, size / 8 * 8, 11);
            CHECK(same == size / 8 * 8, "realloc of memalign(%zu, %zu): byte %zu differs",
                  alignment, size, same);
            memset(block, 2, size * 2);
            free(block);
        }
}

static void every_alignment_is_kept(void) {
    enum { KEPT = 64 };
    void *kept[KEPT] = {0};
    size_t kept_size[KEPT] = {0}, turn = 0;
    for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 2) {
        size_t most = alignment > 128 * KIB ? 2 * MIB : 300 * KIB;
        for (size_t size = 0; size <= most; size = size < 70 ? size + 1 : size + size / 7) {
            for (int function = 0; function < 3; function++) {
                void *block = NULL;
                if (function == 0) block = memalign(alignment, size);
                if (function == 1) block = aligned_alloc(alignment, size);
                if (function == 2) {
                    if (alignment < sizeof(void *)) continue;
                    EQ(posix_memalign(&block, alignment, size), 0);
                }
                CHECK(block != NULL, "alignment %zu, size %zu: saw NULL", alignment, size);
                ALIGNED(block, alignment);
                ALIGNED(block, 16);
                CHECK(malloc_usable_size(block) >= size,
                      "alignment %zu, size %zu: usable are %zu", alignment, size,
                      malloc_usable_size(block));
                /* Neighbours may not overlap: check one when its turn ends. */
                size_t slot = turn++ % KEPT;
                if (kept[slot] != NULL) {
                    FILLED(kept[slot], kept_size[slot], (unsigned)slot);
                    free(kept[slot]);
                }
                fill(block, size, (unsigned)slot);
                kept[slot] = block, kept_size[slot] = size;
            }
        }
    }
    for (size_t slot = 0; slot < KEPT; slot++) {
        FILLED(kept[slot], kept_size[slot], (unsigned)slot);
        free(kept[slot]);
    }
}

static void larger_alignments_are_kept(void) {
    for (size_t alignment = 8 * MIB; alignment <= 256 * MIB; alignment *= 2) {
        void *block = memalign(alignment, 1000);
        CHECK(block != NULL, "memalign(%zu, 1000): saw NULL", alignment);
        ALIGNED(block, alignment);
        fill(block, 1000, 1);
        FILLED(block, 1000, 1);
        free(block);
    }
}

static void bad_alignments_are_refused(void) {
    const size_t bad[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 24, 40, 100, 4095, 4097, 65537,
                          SIZE_MAX, SIZE_MAX / 2, (size_t)3 << 60};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *untouched = &i;
        errno = 77;
        EQ(posix_memalign(&untouched, hide_size(bad[i]), 100), EINVAL);
        EQ(errno, 77);
        CHECK(untouched == &i, "posix_memalign wrote %p though it failed", untouched);
    }
    /* memalign's answer to a bad alignment differs between versions of glibc:
     * the next power of two, or NULL and EINVAL. */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        errno = 0;
        void *block = aligned_alloc(hide_size(bad[i]), 100);
        CHECK(block != NULL || errno == EINVAL || errno == ENOMEM,
              "aligned_alloc(%zu, 100): saw NULL and errno %d", bad[i], errno);
        if (block != NULL) fill(block, 100, 1);
        free(block);
    }
}

static void absurd_alignments_fail(void) {
    const size_t absurd[] = {(size_t)1 << 62, (size_t)1 << 61, (size_t)1 << 50};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        size_t alignment = hide_size(absurd[i]);
        NO_MEMORY(memalign(alignment, 100));
        NO_MEMORY(aligned_alloc(alignment, 100));
        void *untouched = &i;
        EQ(posix_memalign(&untouched, alignment, 100), ENOMEM);
        CHECK(untouched == &i, "posix_memalign wrote %p though it failed", untouched);
    }
    errno = 0;
    void *block = memalign(hide_size((size_t)1 << 63), 100);
    CHECK(block == NULL && (errno == ENOMEM || errno == EINVAL),
          "memalign(2^63, 100): expected NULL and an error, saw %p, %d", block, errno);
}

static void valloc_and_pvalloc_give_pages(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < BORDERS; i++) {
        size_t size = border_sizes[i], whole = (size + page - 1) & ~(page - 1);
        void *some = valloc(size), *all = pvalloc(size);
        ALIGNED(some, page);
        ALIGNED(all, page);
        CHECK(some != NULL && all != NULL, "valloc or pvalloc of %zu: saw NULL", size);
        CHECK(malloc_usable_size(all) >= whole, "pvalloc(%zu): expected %zu usable, saw %zu",
              size, whole, malloc_usable_size(all));
        fill(some, size, 1);
        fill(all, whole, 2);
        FILLED(some, size, 1);
        FILLED(all, whole, 2);
        free(some), free(all);
    }
    void *some = valloc(0), *all = pvalloc(0);
    CHECK(some != NULL && all != NULL, "valloc(0) or pvalloc(0): saw NULL");
    ALIGNED(some, page);
    ALIGNED(all, page);
    free(some), free(all);
}

static void usable_size_is_usable(void) {
    enum { COUNT = 400 };
    static unsigned char *blocks[COUNT];
    EQ(malloc_usable_size(NULL), 0);
    uint64_t random = 42;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < COUNT; i++) {
            size_t size = i % 50 == 0 ? next_random(&random) % (3 * MIB)
                                      : next_random(&random) % (i % 5 ? 3000 : 70000);
            blocks[i] = malloc(size);
            CHECK(blocks[i] != NULL, "malloc(%zu): saw NULL", size);
            size_t usable = malloc_usable_size(blocks[i]);
            CHECK(usable >= size, "malloc(%zu): expected as many usable, saw %zu", size, usable);
            fill(blocks[i], usable, (unsigned)i);
        }
        for (int i = 0; i < COUNT; i++) {
            FILLED(blocks[i], malloc_usable_size(blocks[i]), (unsigned)i);
            free(blocks[i]);
        }
    }
}

static void free_keeps_errno(void) {
    for (size_t i = 0; i < BORDERS; i++) {
        void *block = malloc(border_sizes[i]), *aligned = memalign(1 * MIB, border_sizes[i]);
        memset(block, 1, border_sizes[i]);
        errno = 4711;
        free(block);
        EQ(errno, 4711);
        free(aligned);
        EQ(errno, 4711);
    }
    /* Enough of them that caches overflow and memory goes back to the kernel. */
    static void *blocks[20000];
    for (size_t i = 0; i < 20000; i++) blocks[i] = malloc(i % 10 ? 1000 : 10000);
    errno = 4712;
    for (size_t i = 0; i < 20000; i++) free(blocks[i]);
    EQ(errno, 4712);
    free(NULL);
    EQ(errno, 4712);
}

static void success_keeps_errno(void) {
    errno = 4713;
    for (size_t i = 0; i < BORDERS; i++) {
        void *block = realloc(malloc(border_sizes[i]), border_sizes[i] / 2 + 1);
        void *clean = calloc(1, border_sizes[i]);
        EQ(errno, 4713);
        free(block), free(clean);
    }
}

static void sized_frees(void) {
    if (free_sized == NULL || free_aligned_sized == NULL) {
        CHECK(reference(), "free_sized and free_aligned_sized are missing");
        say("SKIPPED: this C library has no free_sized\n");
        return;
    }
    free_sized(NULL, 0);
    free_sized(NULL, 100);
    free_aligned_sized(NULL, 64, 100);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < BORDERS; i++) {
            size_t size = border_sizes[i];
            void *a = malloc(size), *b = calloc(1, size), *c = realloc(malloc(1), size);
            memset(a, 1, size), memset(b, 2, size), memset(c, 3, size);
            errno = 5;
            free_sized(a, size), free_sized(b, size), free_sized(c, size);
            for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 4) {
                void *d = aligned_alloc(alignment, size);
                ALIGNED(d, alignment);
                free_aligned_sized(d, alignment, size);
            }
            EQ(errno, 5);
        }
    free_sized(malloc(0), 0);
}

static void trim_leaves_blocks_alone(void) {
    enum { COUNT = 20000 };
    static void *blocks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = malloc(2000);
        fill(blocks[i], 2000, (unsigned)i);
    }
    for (int i = 0; i < COUNT; i++)
        if (i % 100) free(blocks[i]);
    int trimmed = malloc_trim(0);
    CHECK(trimmed == 0 || trimmed == 1, "malloc_trim: expected 0 or 1, saw %d", trimmed);
    trimmed = malloc_trim(10 * MIB);
    CHECK(trimmed == 0 || trimmed == 1, "malloc_trim: expected 0 or 1, saw %d", trimmed);
    for (int i = 0; i < COUNT; i += 100) FILLED(blocks[i], 2000, (unsigned)i);
    for (int i = 0; i < COUNT; i++)
        if (i % 100) blocks[i] = malloc(2000), fill(blocks[i], 2000, (unsigned)i);
    for (int i = 0; i < COUNT; i++) {
        FILLED(blocks[i], 2000, (unsigned)i);
        free(blocks[i]);
    }
}

static void trim_gives_memory_back(void) {
    enum { COUNT = 60000 };
    static void *blocks[COUNT];
    malloc_trim(0);
    size_t before = resident();
    for (int i = 0; i < COUNT; i++) memset(blocks[i] = malloc(2000), 1, 2000);
    size_t full = resident();
    for (int i = 0; i < COUNT; i++) free(blocks[i]);
    malloc_trim(0);
    size_t after = resident();
    CHECK(full > before + 100 * MIB, "resident: %zu before, %zu with 120 MB of blocks", before, full);
    CHECK(after < before + 30 * MIB,
          "resident after malloc_trim: expected about %zu as before, saw %zu", before, after);
}

static void mallinfo2_moves(void) {
    enum { COUNT = 100000 };
    static void *blocks[COUNT];
    struct mallinfo2 start = mallinfo2();
    for (int i = 0; i < COUNT; i++) blocks[i] = malloc(400);
    struct mallinfo2 small = mallinfo2();
    size_t at_start = start.uordblks + start.hblkhd, with_small = small.uordblks + small.hblkhd;
    CHECK(with_small >= at_start + 36 * MIB && with_small <= at_start + 80 * MIB,
          "used: %zu at the start, %zu with 40 MB more in blocks of 400", at_start, with_small);
    CHECK(small.arena + small.hblkhd >= with_small / 2,
          "mapped: expected to hold the used %zu, saw %zu + %zu", with_small, small.arena,
          small.hblkhd);
    void *large = malloc(64 * MIB);
    struct mallinfo2 all = mallinfo2();
    size_t with_all = all.uordblks + all.hblkhd;
    CHECK(with_all >= with_small + 63 * MIB && with_all <= with_small + 80 * MIB,
          "used: %zu, and %zu with 64 MiB more in one block", with_small, with_all);
    free(large);
    for (int i = 0; i < COUNT; i++) free(blocks[i]);
    struct mallinfo2 end = mallinfo2();
    size_t at_end = end.uordblks + end.hblkhd;
    CHECK(at_end <= at_start + 8 * MIB, "used: %zu at the start, %zu when all is free", at_start,
          at_end);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void mallinfo_moves(void) {
    struct mallinfo before = mallinfo();
    void *large = malloc(32 * MIB);
    struct mallinfo after = mallinfo();
    long grown = ((long)after.uordblks + after.hblkhd) - ((long)before.uordblks + before.hblkhd);
    CHECK(grown >= (long)(31 * MIB) && grown <= (long)(48 * MIB),
          "used: expected 32 MiB more, saw %ld", grown);
    CHECK(after.arena >= 0 && after.fordblks >= 0 && after.keepcost >= 0,
          "expected no negative numbers, saw %d, %d, %d", after.arena, after.fordblks,
          after.keepcost);
    free(large);
}
#pragma GCC diagnostic pop

static void mallopt_answers_0_or_1(void) {
    const int parameters[] = {M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX,
                              M_CHECK_ACTION, M_PERTURB, M_ARENA_TEST, M_ARENA_MAX, 12345, -99};
    const int values[] = {64, 128 * 1024, 0, 128 * 1024, 65536, 3, 0, 2, 2, 1, 1};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        int answer = mallopt(parameters[i], values[i]);
        CHECK(answer == 0 || answer == 1, "mallopt(%d, %d): expected 0 or 1, saw %d",
              parameters[i], values[i], answer);
    }
    void *block = malloc(100);
    fill(block, 100, 1);
    FILLED(block, 100, 1);
    free(block);
}

static void malloc_stats_writes_to_stderr(void) {
    void *block = malloc(100);
    malloc_stats();
    free(block);
}

/* The names of the elements that are open, and whether `text` is XML as far as
 * malloc_info uses it: elements with quoted attributes, and text. */
static void check_xml(const char *text) {
    char open[32][32];
    int depth = 0, elements = 0;
    for (const char *at = text; *at;) {
        if (*at != '<') {
            CHECK(*at != '>' && *at != '&', "malloc_info: stray %c in\n%s", *at, text);
            CHECK(depth > 0 || *at == '\n', "malloc_info: text outside of the root in\n%s", text);
            at++;
            continue;
        }
        const char *end = at;
        for (int quoted = 0; *end && (quoted || *end != '>'); end++)
            if (*end == '"') quoted = !quoted;
        CHECK(*end == '>', "malloc_info: an element is not closed in\n%s", text);
        int closes = at[1] == '/', alone = end[-1] == '/', header = at[1] == '?';
        const char *name = at + 1 + closes;
        int length = (int)strcspn(name, " />\n");
        CHECK(header || (length > 0 && length < 31), "malloc_info: an element without name\n%s", text);
        if (closes) {
            CHECK(depth > 0, "malloc_info: %.*s closes nothing in\n%s", length, name, text);
            depth--;
            CHECK((int)strlen(open[depth]) == length && !memcmp(open[depth], name, length),
                  "malloc_info: %.*s closes %s in\n%s", length, name, open[depth], text);
        } else if (!alone && !header) {
            CHECK(depth < 32, "malloc_info: nested too deeply");
            CHECK(depth > 0 || elements == 0, "malloc_info: two roots in\n%s", text);
            memcpy(open[depth], name, length);
            open[depth++][length] = 0;
            elements++;
        }
        at = end + 1;
    }
    CHECK(depth == 0 && elements > 0, "malloc_info: %d elements, %d left open\n%s", elements, depth,
          text);
}

static void malloc_info_writes_xml(void) {
    void *block = malloc(100);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    EQ(malloc_info(0, file), 0);
    fclose(file);
    CHECK(size > 0 && strncmp(text, "<malloc", 7) == 0, "malloc_info: expected <malloc, saw %.200s",
          text);
    check_xml(text);
    free(text);
    file = open_memstream(&text, &size);
    /* EINVAL by glibc's code, -1 by its manual. */
    CHECK(malloc_info(1, file) != 0, "malloc_info(1, file): expected an error, saw 0");
    fclose(file);
    free(text);
    free(block);
}

/* All functions at once on many blocks, each checked against its pattern. */
static void mixed_operations_keep_all_blocks(void) {
    enum { COUNT = 3000 };
    static struct {
        void *block;
        size_t size;
        unsigned seed;
    } slots[COUNT];
    uint64_t random = 7;
    for (int step = 0; step < 600000; step++) {
        size_t i = next_random(&random) % COUNT, size = random_size(&random);
        if (slots[i].block != NULL) {
            size_t some = slots[i].size < 256 ? slots[i].size : 256;
            size_t until = filled_until(slots[i].block, some, slots[i].seed);
            CHECK(until == some, "block %p of %zu bytes: byte %zu differs in step %d",
                  slots[i].block, slots[i].size, until, step);
        }
        switch (next_random(&random) % 6) {
        case 0: case 1:
            free(slots[i].block);
            slots[i].block = NULL;
            continue;
        case 2: {
            size_t alignment = (size_t)16 << next_random(&random) % 12;
            free(slots[i].block);
            slots[i].block = memalign(alignment, size);
            ALIGNED(slots[i].block, alignment);
            break;
        }
        case 3:
            free(slots[i].block);
            slots[i].block = calloc(1, size);
            ZEROED(slots[i].block, size < 4096 ? size : 4096);
            break;
        case 4: {
            size_t common = slots[i].block == NULL ? 0 : slots[i].size < size ? slots[i].size : size;
            common = common < 256 ? common / 8 * 8 : 256;
            slots[i].block = realloc(slots[i].block, size);
            size_t until = filled_until(slots[i].block, common, slots[i].seed);
            CHECK(until == common, "realloc to %zu: byte %zu differs", size, until);
            break;
        }
        default:
            free(slots[i].block);
            slots[i].block = malloc(size);
        }
        CHECK(slots[i].block != NULL, "size %zu: saw NULL", size);
        slots[i].size = size;
        slots[i].seed = (unsigned)step;
        fill(slots[i].block, size, (unsigned)step);
    }
    for (size_t i = 0; i < COUNT; i++) {
        if (slots[i].block != NULL) FILLED(slots[i].block, slots[i].size, slots[i].seed);
        free(slots[i].block);
    }
}

CASES(CASE(malloc_of_zero_is_unique), CASE(huge_sizes_fail_with_enomem),
      CASE(products_that_overflow_fail), CASE(calloc_clears_reused_memory),
      CASE(calloc_clears_fresh_memory), CASE(every_result_is_aligned_to_16),
      CASE(realloc_of_null_allocates), CASE(realloc_to_zero_frees),
      CASE(realloc_keeps_the_content), CASE(realloc_keeps_the_last_bytes),
      CASE(realloc_grows_step_by_step), CASE(a_failed_realloc_keeps_the_block),
      CASE(realloc_of_aligned_blocks), CASE(every_alignment_is_kept),
      CASE(larger_alignments_are_kept), CASE(bad_alignments_are_refused),
      CASE(absurd_alignments_fail), CASE(valloc_and_pvalloc_give_pages),
      CASE(usable_size_is_usable), CASE(free_keeps_errno), CASE(success_keeps_errno),
      CASE(sized_frees), CASE(trim_leaves_blocks_alone), CASE(trim_gives_memory_back),
      CASE(mallinfo2_moves), CASE(mallinfo_moves), CASE(mallopt_answers_0_or_1),
      CASE(malloc_stats_writes_to_stderr), CASE(malloc_info_writes_xml),
      CASE(mixed_operations_keep_all_blocks))
