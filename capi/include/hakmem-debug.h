/*
 * hakmem-debug.h: what a libhakmem with observers in it offers beside hakmem.h.
 *
 * The library as it is released has none of these functions. They are declared weak: compare
 * a function with NULL before calling it.
 */
#ifndef HAKMEM_DEBUG_H
#define HAKMEM_DEBUG_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes to standard error what the threads hold for their next allocations, and of the
 * diagnostics that are on what they have found so far. Allocates nothing. Other threads had
 * better be quiet: what they do meanwhile shows as it happens to be read. Not for signal
 * handlers.
 */
__attribute__((__weak__)) void hakmem_debug_dump(void);

/*
 * Looks at all blocks, tells of those that are damaged, and returns how many are. What follows is
 * as HAKMEM_ON_ERROR says: with abort, which is the default, it does not return from damage.
 */
__attribute__((__weak__)) size_t hakmem_verify(void);

/*
 * Looks for blocks that the program cannot reach any more, tells of them by where they were
 * allocated, and returns how many nothing points to. The other threads are stopped meanwhile. Not
 * for signal handlers.
 */
__attribute__((__weak__)) size_t hakmem_leaks(void);

#ifdef __cplusplus
}
#endif

#endif
