/*
 * hakmem.h: what hakmem offers beside the malloc family.
 *
 * malloc, free and their kin, and C++'s operator new and delete, are declared by the
 * standard headers as always: linking with libhakmem, or preloading it, is all that they need.
 *
 * Sizes are in bytes. Every function may be called by any thread at any time after libc has
 * started, and leaves errno as it was, unless it says otherwise. None may be called in a
 * signal handler.
 *
 * A program that has to run without the library as well (with LD_PRELOAD or not) defines
 * HAKMEM_WEAK before it includes this file, and compares a function with NULL before it
 * calls it.
 */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. */
#define HAKMEM_VERSION_MAJOR 0
#define HAKMEM_VERSION_MINOR 1
#define HAKMEM_VERSION_PATCH 0
#define HAKMEM_VERSION "0.1.0"

/*
 * The version of the C ABI, which is the number in libhakmem.so's SONAME. It is raised when a
 * function or structure of this header changes incompatibly.
 */
#define HAKMEM_ABI 0

#ifdef HAKMEM_WEAK
#define HAKMEM_API __attribute__((__weak__))
#else
#define HAKMEM_API
#endif

/*
 * The version of the library that the program runs on, as "MAJOR.MINOR.PATCH". The text is
 * constant and never goes away.
 */
HAKMEM_API const char *hakmem_version(void);

/*
 * The bytes of `block` that the program may use: what it was asked for with, or more. 0 if
 * `block` is NULL. An address that is no live block ends the program, as free does; as far
 * as this is noticed.
 */
HAKMEM_API size_t hakmem_usable_size(void *block);

/*
 * What hakmem_usable_size would say of a block of `size` bytes: to 32768 bytes the size of
 * its class, to 1 MiB whole slots of 64 KiB, above that whole units of 2 MiB. Of these only
 * the pages that are touched cost memory. `size` itself where that overflows. Allocates
 * nothing.
 */
HAKMEM_API size_t hakmem_good_size(size_t size);

/*
 * Gives memory that nobody uses back to the system: what the calling thread and ended threads
 * keep for later, and free pages. What other running threads keep stays with them. Returns 1
 * if there was something, 0 if not. It takes the allocator's locks, one after the other, and
 * makes system calls in proportion to what it gives back.
 */
HAKMEM_API int hakmem_collect(void);

/*
 * Writes the statistics as a JSON object to `buffer`, which has `size` bytes, and ends them
 * with a zero byte. Returns the length of the whole text without that byte: when it is `size`
 * or more, the text was cut, and the call can be made again with a larger buffer. `buffer` may
 * be NULL if `size` is 0. Allocates nothing. Sums are exact while no other thread allocates
 * or frees, and an impression otherwise; so a second call may need more room than the first
 * one said.
 */
HAKMEM_API size_t hakmem_stats_json(char *buffer, size_t size);

/*
 * Writes the statistics as a table to standard error, as HAKMEM_STATS=1 does at exit. Nothing
 * is written if file descriptor 2 is not what it was at the program's start any more.
 * Allocates nothing.
 */
HAKMEM_API void hakmem_stats_print(void);

/*
 * The variables that are numbers (docs/CONFIGURATION.md), to ask hakmem_option for. A number keeps
 * its meaning in later versions, which may have further ones.
 */
enum hakmem_option {
    HAKMEM_OPTION_WRAP_TINY = 0,
    HAKMEM_OPTION_WRAP_POOL = 1,
    HAKMEM_OPTION_WRAP_MID = 2,
    HAKMEM_OPTION_WRAP_LARGE = 3,
    HAKMEM_OPTION_SUPERSLAB_REUSE = 4,
    HAKMEM_OPTION_SUPERSLAB_LAZY = 5,
    HAKMEM_OPTION_SUPERSLAB_PREWARM = 6,
    HAKMEM_OPTION_SUPERSLAB_LRU_CAP = 7,
    HAKMEM_OPTION_SUPERSLAB_SOFT_CAP = 8,
    HAKMEM_OPTION_SUPERSLAB_MAX_CACHED = 9,
    HAKMEM_OPTION_SUPERSLAB_MAX_MEMORY_MB = 10,
    HAKMEM_OPTION_SUPERSLAB_TTL_SEC = 11,
    HAKMEM_OPTION_PREWARM_SUPERSLABS = 12,
    HAKMEM_OPTION_TINY_TLS_CAP = 13,
    HAKMEM_OPTION_TINY_TLS_REFILL = 14,
    HAKMEM_OPTION_TINY_DRAIN_THRESH = 15,
    HAKMEM_OPTION_TINY_SFC_ENABLE = 16,
    HAKMEM_OPTION_TINY_SFC_CAPACITY = 17,
    HAKMEM_OPTION_TINY_SFC_HOT_CLASSES = 18,
    HAKMEM_OPTION_TINY_P0_ENABLE = 19,
    HAKMEM_OPTION_TINY_P0_BATCH = 20,
    HAKMEM_OPTION_TINY_P0_NO_DRAIN = 21,
    HAKMEM_OPTION_TINY_HEADER_CLASSIDX = 22,
    HAKMEM_OPTION_POOL_TLS_ARENA_MB_INIT = 23,
    HAKMEM_OPTION_POOL_TLS_ARENA_MB_MAX = 24,
    HAKMEM_OPTION_POOL_TLS_ARENA_GROWTH_LEVELS = 25,
    HAKMEM_OPTION_HUGE_PAGES = 26,
    HAKMEM_OPTION_STATS = 27,
    HAKMEM_OPTION_PROFILE = 28,
    HAKMEM_OPTION_ALLOC_LEARN = 29,
    HAKMEM_OPTION_ALLOC_LEARN_WINDOW = 30,
    HAKMEM_OPTION_ALLOC_LEARN_RATE = 31,
    HAKMEM_OPTION_MEM_LEARN = 32,
    HAKMEM_OPTION_MEM_LEARN_WINDOW = 33,
    HAKMEM_OPTION_MEM_LEARN_THRESHOLD = 34,
    HAKMEM_OPTION_PURGE_DELAY_MS = 40,
    HAKMEM_OPTION_STOCK_MB = 41,
    HAKMEM_OPTION_STATS_EVERY_SEC = 42,
    HAKMEM_OPTION_STATS_SIGNAL = 43
};

/*
 * What is in force of a variable: stores its number and returns 1; 0 if it is a limit that does not
 * exist, and -1 if this library does not know the variable, and nothing is stored then. A word
 * is stored as its place among the words that the variable may have, the first one being 0; a list
 * as bits, of which the lowest stands for 1 and the next ones for its words in their order.
 */
HAKMEM_API int hakmem_option(int option, unsigned long *value);

/*
 * Ends learning (HAKMEM_ALLOC_LEARN, HAKMEM_MEM_LEARN): what was learnt stays in force, and is
 * printed as variables to set, to where statistics go. Returns 1; 0 if nothing is learnt, and
 * nothing is printed then.
 */
HAKMEM_API int hakmem_learn_freeze(void);

/* What a block is doing. Later versions may have further states. */
enum hakmem_block_state {
    /* The program holds it. */
    HAKMEM_BLOCK_LIVE = 1,
    /* It is free in its slab. */
    HAKMEM_BLOCK_FREE = 2,
    /* It is free, and a thread keeps it for its next allocations. */
    HAKMEM_BLOCK_CACHED = 3,
    /* A thread that does not own its slab freed it, and it is on its way home. */
    HAKMEM_BLOCK_RETURNING = 4
};

/*
 * What hakmem_walk calls for a block: its first byte, the bytes that the program may use of
 * it, an enum hakmem_block_state, and the argument given to hakmem_walk. It returns 0 to go
 * on, and anything else to end the walk. It must not allocate or free, throw, or leave by
 * longjmp.
 */
typedef int (*hakmem_visitor)(const void *block, size_t size, int state, void *argument);

/*
 * Calls `visitor` for every block that there is, in use or not, slab by slab. Returns 0, or
 * what `visitor` ended the walk with; 0 at once if `visitor` is NULL. No lock is held
 * meanwhile: what other threads do shows as it happens to be read, so that they had better
 * be quiet.
 */
HAKMEM_API int hakmem_walk(hakmem_visitor visitor, void *argument);

/*
 * The root structure, from which a debugger or a reader of a core file finds every block
 * (docs/ROOT-STRUCTURE.md). It is filled by the process's first allocation, is constant from
 * there on, and never goes away.
 */
HAKMEM_API const void *hakmem_root(void);

/*
 * Watches blocks from now on, in a library that was built to (docs/OBSERVABILITY.md): `rule` is
 * one rule of the language of HAKMEM_WATCH, such as "size=100-200 on=free do=stack,arm". Returns
 * the watch's number, above 0, or an error below 0: -ENOTSUP in a release build, -EINVAL for a
 * rule that is not understood (HAKMEM_WATCH says where and why, for the same rule), -ENOSPC if
 * 32 rules are in force, -ENOMEM. It reads the symbol tables of files where the rule names a
 * function.
 */
HAKMEM_API int hakmem_watch(const char *rule);

/*
 * Ends a watch, and disarms what it has armed. Returns 0, -ENOENT if there is no watch of this
 * number, or -ENOTSUP.
 */
HAKMEM_API int hakmem_unwatch(int watch);

/*
 * Marks this point in the trace of a library that records one: a text, of which 512 bytes are
 * kept, or NULL, and an address and a number of the program's choice. `hakmem history` shows it
 * among what happened to the address. Does nothing in every other library, and while nothing is
 * recorded. May be called in a signal handler.
 */
HAKMEM_API void hakmem_mark(const char *text, const void *address, unsigned long value);

#ifdef __cplusplus
}
#endif

#endif /* HAKMEM_H */
