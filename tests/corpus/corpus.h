/* What the programs of the corpus share: how the good twin differs, and functions that the
 * compiler cannot see through, so that a bug is still one when it has optimised. */
#ifndef CORPUS_H
#define CORPUS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* What the program does wrong, and what its good twin (-DFIXED) does in its place. */
#ifdef FIXED
#define DEFECT(wrong, right) (right)
#else
#define DEFECT(wrong, right) (wrong)
#endif

#define NOINLINE __attribute__((noinline))

#ifdef __cplusplus
extern "C" {
#endif

/* `value`, of which the compiler knows nothing. */
size_t number(size_t value);

/* `pointer`, of which the compiler knows nothing. */
void *hidden(const void *pointer);

/* Does nothing, but the compiler has to believe that it reads and writes the memory. */
void seen(const void *memory);

/* The sum of the bytes. */
unsigned sum(const void *memory, size_t length);

/* Runs it in a thread of its own, to its end. */
void in_thread(void (*run)(void *argument), void *argument);

/* Overwrites what functions that have returned left on the stack. */
void scrub(void);

#ifdef __cplusplus
}
#endif

#endif
