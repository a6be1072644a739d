/* What every test program is made of: named cases, checks that say what was
 * expected and what was seen, patterns to fill memory with.
 *
 * A program defines its cases as `static void name(void)` and ends in
 * `CASES(CASE(one), CASE(two))`. `program --list` prints their names,
 * `program name` runs one, `program` runs all in turn. Each prints "ok name".
 *
 * Nothing in here allocates, so that a program's own calls are the only ones. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Is glibc's own allocator what is measured here? Then what only hakmem
 * promises is left out. */
static inline int reference(void) {
    const char *mode = getenv("TESTS_REFERENCE");
    return mode != NULL && strcmp(mode, "1") == 0;
}

/* printf to standard error by one write from the stack. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > (int)sizeof line - 1) length = (int)sizeof line - 1;
    if (length > 0 && write(2, line, (size_t)length) < 0) _exit(3);
}

/* printf to standard output by one write from the stack. */
__attribute__((format(printf, 1, 2))) static inline void print(const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length > (int)sizeof line - 1) length = (int)sizeof line - 1;
    if (length > 0 && write(1, line, (size_t)length) < 0) _exit(3);
}

/* `CHECK(condition, "what was expected, what was seen", ...)` */
#define CHECK(condition, ...)                                                   \
    do {                                                                        \
        if (!(condition)) {                                                     \
            say("%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);         \
            say(__VA_ARGS__);                                                   \
            say("\n");                                                          \
            _exit(1);                                                           \
        }                                                                       \
    } while (0)

/* Both sides as integers; the expectation second. */
#define EQ(seen, expected)                                                      \
    do {                                                                        \
        long long seen_ = (long long)(seen), expected_ = (long long)(expected); \
        CHECK(seen_ == expected_, "%s: expected %lld (%s), saw %lld", #seen,    \
              expected_, #expected, seen_);                                     \
    } while (0)

#define ALIGNED(pointer, alignment)                                             \
    CHECK(((uintptr_t)(pointer) & ((size_t)(alignment) - 1)) == 0,              \
          "%s: expected a multiple of %zu, saw %p", #pointer,                   \
          (size_t)(alignment), (void *)(pointer))

/* Hides from the compiler where a pointer or a size came from: it may neither
 * drop an allocation nor warn of the abuse that is the test. */
static inline void *hide(void *pointer) {
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}
static inline size_t hide_size(size_t size) {
    __asm__ volatile("" : "+r"(size) : : "memory");
    return size;
}

/* Fills `size` bytes with a pattern of their own for each seed. */
static inline void fill(void *pointer, size_t size, unsigned seed) {
    unsigned char *byte = (unsigned char *)pointer;
    uint64_t word = (seed + 1) * 0x9e3779b97f4a7c15u, step = word | 1;
    size_t i = 0;
    for (; i + 8 <= size; i += 8, word += step) __builtin_memcpy(byte + i, &word, 8);
    memcpy(byte + i, &word, size - i);
}

/* Where the first byte is that is not of the pattern; `size` if all are. */
static inline size_t filled_until(const void *pointer, size_t size, unsigned seed) {
    const unsigned char *byte = (const unsigned char *)pointer;
    uint64_t word = (seed + 1) * 0x9e3779b97f4a7c15u, step = word | 1;
    size_t i = 0;
    for (; i + 8 <= size; i += 8, word += step) {
        uint64_t seen;
        __builtin_memcpy(&seen, byte + i, 8);
        if (seen != word) break;
    }
    unsigned char expected[8];
    memcpy(expected, &word, 8);
    for (size_t j = 0; j < 8 && i + j < size; j++)
        if (byte[i + j] != expected[j]) return i + j;
    return size;
}

#define FILLED(pointer, size, seed)                                             \
    do {                                                                        \
        size_t until_ = filled_until(pointer, size, seed);                      \
        CHECK(until_ == (size_t)(size),                                         \
              "%s: expected the pattern in all %zu bytes, byte %zu differs",    \
              #pointer, (size_t)(size), until_);                                \
    } while (0)

/* Where the first byte is that is not zero; `size` if all are. */
static inline size_t zero_until(const void *pointer, size_t size) {
    const unsigned char *byte = (const unsigned char *)pointer;
    for (size_t i = 0; i < size; i++)
        if (byte[i] != 0) return i;
    return size;
}

#define ZEROED(pointer, size)                                                   \
    do {                                                                        \
        size_t until_ = zero_until(pointer, size);                              \
        CHECK(until_ == (size_t)(size),                                         \
              "%s: expected %zu zero bytes, byte %zu is not zero", #pointer,    \
              (size_t)(size), until_);                                          \
    } while (0)

/* A generator of numbers, the same in every run (xorshift). */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* A size that reaches every tier: mostly small, now and then up to 2 MiB. */
static inline size_t random_size(uint64_t *state) {
    uint64_t random = next_random(state);
    switch (random % 64) {
    case 0: return 32 * KIB + (random >> 8) % (2 * MIB);
    case 1: case 2: return 8 * KIB + (random >> 8) % (24 * KIB);
    case 3: case 4: case 5: case 6: return 2 * KIB + (random >> 8) % (6 * KIB);
    default: return 1 + (random >> 8) % (2 * KIB);
    }
}

/* Resident bytes of this process. */
static inline size_t resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0, held = 0;
    CHECK(file != NULL && fscanf(file, "%zu %zu", &pages, &held) == 2,
          "/proc/self/statm cannot be read");
    fclose(file);
    return held * (size_t)sysconf(_SC_PAGESIZE);
}

/* No core files of the programs that are meant to abort. */
__attribute__((constructor)) static void no_core_file(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

struct test_case {
    const char *name;
    void (*run)(void);
};

#define CASE(function) {#function, function}
#define CASES(...)                                                              \
    int main(int argc, char **argv) {                                           \
        static const struct test_case cases[] = {__VA_ARGS__};                  \
        return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv);    \
    }

static inline int run_cases(const struct test_case *cases, size_t count, int argc, char **argv) {
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && strcmp(argv[1], "--list") == 0) {
            print("%s\n", cases[i].name);
            found = 1;
        } else if (argc < 2 || strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            print("ok %s\n", cases[i].name);
            found = 1;
        }
    }
    if (!found) say("no case is named %s\n", argc > 1 ? argv[1] : "");
    return found ? 0 : 2;
}

#endif
