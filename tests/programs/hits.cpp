// Hits of the fast paths, to be counted: `hits ROUNDS`. Each API and size has a function of
// its own that makes the calls, so that a profile tells them apart by the caller.
//
// A round takes a few blocks and frees them. The first round, in which slow paths run, is
// not the counted functions' but `warm`'s.

#include <cstddef>
#include <cstdlib>
#include <new>

// Fewer than the front of any of the classes holds.
enum { BLOCKS = 4 };

static void *volatile blocks[BLOCKS];

#define COUNTED extern "C" __attribute__((noinline, noclone)) void

#define EACH for (int i = 0; i < BLOCKS; i++)

#define PAIR(api, size, take, give)                                                     \
    COUNTED take_##api##_##size(void) { EACH blocks[i] = take; }                        \
    COUNTED give_##api##_##size(void) { EACH { void *block = blocks[i]; give; } }       \
    static void warm_##api##_##size(void) {                                             \
        void *volatile all[2 * BLOCKS];                                                 \
        for (int i = 0; i < 2 * BLOCKS; i++) all[i] = take;                             \
        for (int i = 0; i < 2 * BLOCKS; i++) { void *block = all[i]; give; }            \
    }                                                                                   \
    static void hits_##api##_##size(long rounds) {                                      \
        warm_##api##_##size();                                                          \
        for (long round = 0; round < rounds; round++) {                                 \
            take_##api##_##size();                                                      \
            give_##api##_##size();                                                      \
        }                                                                               \
    }

#define MALLOC(size) PAIR(malloc, size, malloc(size), free(block))
#define CALLOC(size) PAIR(calloc, size, calloc(1, size), free(block))
#define NEW(size) PAIR(new, size, ::operator new(size), ::operator delete(block))
#define SIZED(size) PAIR(sized, size, ::operator new(size), ::operator delete(block, std::size_t(size)))
#define REALLOC(size) PAIR(realloc, size, realloc(nullptr, size), free(realloc(block, size)))

#define SIZES(of) of(1) of(16) of(17) of(64) of(128) of(129) of(500) of(1000) of(1024) of(1025) of(2047) of(2048)

SIZES(MALLOC)
NEW(64)
SIZED(64)
CALLOC(16)
CALLOC(64)
REALLOC(64)

#define RUN_MALLOC(size) hits_malloc_##size(rounds);

int main(int argc, char **argv) {
    long rounds = argc > 1 ? std::atol(argv[1]) : 1;
    SIZES(RUN_MALLOC)
    hits_new_64(rounds);
    hits_sized_64(rounds);
    hits_calloc_16(rounds);
    hits_calloc_64(rounds);
    hits_realloc_64(rounds);
    return 0;
}
