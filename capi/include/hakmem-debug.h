/*
 * hakmem-debug.h: what a libhakmem with observers in it offers beside hakmem.h.
 *
 * The library as it is released has none of these functions. They are declared weak: compare
 * a function with NULL before calling it.
 */
#ifndef HAKMEM_DEBUG_H
#define HAKMEM_DEBUG_H

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

#ifdef __cplusplus
}
#endif

#endif
