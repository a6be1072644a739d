/* Calls a memory function so many times, for what a call takes to be counted.
 *
 *     memory_calls CASE COUNT
 *     memory_calls            names the cases
 *
 * Instructions a call, with the loop around it: those of 20 000 calls less those of 10 000, by 10 000.
 *
 *     cc -O2 -fno-builtin memory_calls.c -o memory_calls
 *     LD_PRELOAD=…/libhakmem.so valgrind --tool=callgrind --callgrind-out-file=/dev/null ./memory_calls … */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char one[4096], two[4096];
static volatile size_t sink;

/* Blocks of a slab, and one that has pages of its own. */
static char *block, *other, *large;

#define CASES(each)                                                           \
    each(memcpy_16_statics, memcpy(one, two, 16))                             \
    each(memcpy_16_into_block, memcpy(block, one, 16))                        \
    each(memcpy_16_blocks, memcpy(block, other, 16))                          \
    each(memcpy_16_from_large, memcpy(block, large, 16))                      \
    each(memcpy_100_blocks, memcpy(block, other, 100))                        \
    each(memcpy_1024_blocks, memcpy(block, other, 1024))                      \
    each(memmove_8_end_of_block, memmove(block + 2040, other + 2040, 8))      \
    each(memset_64_block, memset(block, 'b', 64))                             \
    each(memcmp_16_blocks, sink = (size_t)memcmp(block, other, 16))           \
    each(strcmp_31_blocks, sink = (size_t)strcmp(block, other))               \
    each(strlen_7_block, sink = strlen(block + 24))                           \
    each(strlen_31_block, sink = strlen(block))                               \
    each(snprintf_block, sink = (size_t)snprintf(block, 100, "%ld", 123456L))

#define FUNCTION(name, call)                                                  \
    __attribute__((noinline)) static void name(long count) {                  \
        while (count--) call;                                                 \
    }
CASES(FUNCTION)

#define ENTRY(name, call) {#name, name},
static const struct {
    const char *name;
    void (*run)(long);
} cases[] = {CASES(ENTRY)};

int main(int count, char **arguments) {
    block = malloc(2048);
    other = malloc(2048);
    large = malloc(100000);
    if (!block || !other || !large) return 1;
    memset(block, 'b', 2048);
    memset(other, 'b', 2048);
    memset(large, 'b', 100000);
    block[31] = other[31] = 0;
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        if (count == 1) puts(cases[index].name);
        if (count == 3 && strcmp(arguments[1], cases[index].name) == 0) {
            cases[index].run(strtol(arguments[2], NULL, 10));
            return 0;
        }
    }
    return count == 1 ? 0 : 2;
}
