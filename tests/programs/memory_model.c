/* The memory functions against the plainest loops that do the same, over random sizes, alignments
 * and overlaps, in blocks of the heap and out of it.
 *
 *     memory_model SEED ROUNDS [threads|early]
 *
 * Prints "same", or what differs. With threads four of them do it at a time, and a forked child
 * once more. Early is before anything is allocated. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#define ROOM 16384

static __thread uint64_t state;
/* Nothing may be allocated. */
static int early;

static size_t below(size_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % limit);
}

#define SAME(condition, name)                                                      \
    do {                                                                           \
        if (!(condition)) {                                                        \
            printf(name " differs: line %d, seed %s\n", __LINE__, seed_text);      \
            fflush(stdout);                                                        \
            _exit(1);                                                              \
        }                                                                          \
    } while (0)

static const char *seed_text;

/* A size: mostly small. */
static size_t some_size(void) {
    static const size_t limits[] = {4, 17, 40, 130, 700, 3000};
    return below(limits[below(6)]);
}

static void randomize(unsigned char *bytes, size_t n) {
    static const unsigned char alphabet[] = {1, 'a', 'b', 0x80, 0xff};
    for (size_t at = 0; at < n; at++) bytes[at] = alphabet[below(5)];
}

static int sign(int value) { return (value > 0) - (value < 0); }

/* What was there, what is to be there, and what is: whole buffers, so that what stands around is
 * compared as well. */
struct buffers {
    unsigned char *is, *should, *source;
};

static int alike(const struct buffers *b) {
    for (size_t at = 0; at < ROOM; at++) {
        if (b->is[at] != b->should[at]) return 0;
    }
    return 1;
}

static void plain_copy(unsigned char *to, const unsigned char *from, size_t n) {
    unsigned char kept[ROOM];
    for (size_t at = 0; at < n; at++) ((volatile unsigned char *)kept)[at] = from[at];
    for (size_t at = 0; at < n; at++) ((volatile unsigned char *)to)[at] = kept[at];
}

static size_t plain_length(const unsigned char *string) {
    size_t n = 0;
    while (((const volatile unsigned char *)string)[n] != 0) n++;
    return n;
}

static void bytes(const struct buffers *b) {
    size_t n = some_size(), to = below(64), from = below(64);
    unsigned char *is = b->is + to, *should = b->should + to, *source = b->source + from;
    plain_copy(should, source, n);
    switch (below(4)) {
    case 0: SAME(memcpy(is, source, n) == is, "memcpy"); break;
    case 1: SAME(memmove(is, source, n) == is, "memmove"); break;
    case 2: SAME(mempcpy(is, source, n) == is + n, "mempcpy"); break;
    default: bcopy(source, is, n);
    }
    SAME(alike(b), "a copy");
    /* Within one buffer. */
    size_t other = below(200);
    plain_copy(b->should + other, should, n);
    SAME(memmove(b->is + other, is, n) == b->is + other, "memmove");
    SAME(alike(b), "memmove of ranges that overlap");
    unsigned char byte = (unsigned char)below(256);
    for (size_t at = 0; at < n; at++) ((volatile unsigned char *)should)[at] = byte;
    SAME(memset(is, byte, n) == is, "memset");
    SAME(alike(b), "memset");
    if (below(2)) {
        for (size_t at = 0; at < n; at++) ((volatile unsigned char *)should)[at] = 0;
        bzero(is, n);
        SAME(alike(b), "bzero");
    }
}

static void searches(const struct buffers *b) {
    size_t n = some_size(), from = below(64);
    unsigned char *source = b->source + from;
    unsigned char byte = source[below(n + 1)];
    size_t first = 0, last = n;
    while (first < n && source[first] != byte) first++;
    while (last > 0 && source[last - 1] != byte) last--;
    SAME(memchr(source, byte, n) == (first < n ? source + first : NULL), "memchr");
    SAME(memrchr(source, byte, n) == (last > 0 ? source + last - 1 : NULL), "memrchr");
    if (first < n) SAME(rawmemchr(source, byte) == source + first, "rawmemchr");
    unsigned char *other = b->is + below(64);
    plain_copy(other, source, n);
    if (n > 0 && below(2)) other[below(n)] ^= (unsigned char)below(3);
    int expected = 0;
    for (size_t at = 0; at < n && expected == 0; at++) expected = source[at] - other[at];
    SAME(sign(memcmp(source, other, n)) == sign(expected), "memcmp");
    SAME(!bcmp(source, other, n) == !expected, "bcmp");
    plain_copy(b->should, b->is, ROOM);
}

static void strings(const struct buffers *b) {
    size_t n = some_size(), to = below(64), limit = some_size();
    char *source = (char *)b->source + below(64);
    char *is = (char *)b->is + to;
    unsigned char *should = b->should + to, kept = (unsigned char)source[n];
    source[n] = 0;
    SAME(strlen(source) == n, "strlen");
    SAME(strnlen(source, limit) == (n < limit ? n : limit), "strnlen");
    unsigned char byte = below(4) ? (unsigned char)source[below(n + 1)] : 'z';
    char *first = NULL, *last = NULL;
    for (size_t at = 0; at <= n; at++) {
        if ((unsigned char)source[at] == byte) {
            if (first == NULL) first = source + at;
            last = source + at;
        }
    }
    SAME(strchr(source, byte) == first && index(source, byte) == first, "strchr");
    SAME(strrchr(source, byte) == last && rindex(source, byte) == last, "strrchr");
    SAME(strchrnul(source, byte) == (first ? first : source + n), "strchrnul");
    static char copied[ROOM];
    char *copy = early ? strcpy(copied, source) : below(2) ? strdup(source) : strndup(source, limit);
    size_t length = plain_length((unsigned char *)copy);
    SAME(length == n || length == limit, "strdup");
    if (length > 0 && below(2)) copy[below(length)] ^= 1;
    int expected = 0;
    for (size_t at = 0; at <= length && expected == 0; at++) {
        expected = (unsigned char)source[at] - (unsigned char)copy[at];
        if (source[at] == 0) break;
    }
    SAME(sign(strcmp(source, copy)) == sign(expected), "strcmp");
    expected = 0;
    for (size_t at = 0; at < limit && expected == 0; at++) {
        expected = (unsigned char)source[at] - (unsigned char)copy[at];
        if (source[at] == 0 || copy[at] == 0) break;
    }
    SAME(sign(strncmp(source, copy, limit)) == sign(expected), "strncmp");
    if (!early) free(copy);
    size_t part = n < limit ? n : limit;
    plain_copy(should, (unsigned char *)source, n + 1);
    if (below(2)) SAME(strcpy(is, source) == is, "strcpy");
    else SAME(stpcpy(is, source) == is + n, "stpcpy");
    SAME(alike(b), "strcpy");
    plain_copy(should + n, (unsigned char *)source, n + 1);
    SAME(strcat(is, source) == is, "strcat");
    SAME(alike(b), "strcat");
    plain_copy(should + 2 * n, (unsigned char *)source, part);
    should[2 * n + part] = 0;
    SAME(strncat(is, source, limit) == is, "strncat");
    SAME(alike(b), "strncat");
    plain_copy(should, (unsigned char *)source, part);
    for (size_t at = part; at < limit; at++) ((volatile unsigned char *)should)[at] = 0;
    if (below(2)) SAME(strncpy(is, source, limit) == is, "strncpy");
    else SAME(stpncpy(is, source, limit) == is + part, "stpncpy");
    SAME(alike(b), "strncpy");
    source[n] = (char)kept;
}

static void wide(const struct buffers *b) {
    size_t n = some_size() / 4, to = 4 * below(16), limit = some_size() / 4;
    wchar_t *source = (wchar_t *)(b->source + 4 * below(16)), *is = (wchar_t *)(b->is + to);
    unsigned char *should = b->should + to;
    wchar_t kept = source[n];
    source[n] = 0;
    SAME(wcslen(source) == n, "wcslen");
    plain_copy(should, (unsigned char *)source, 4 * (n + 1));
    SAME(wcscpy(is, source) == is && alike(b), "wcscpy");
    plain_copy(should + 4 * n, (unsigned char *)source, 4 * (n + 1));
    SAME(wcscat(is, source) == is && alike(b), "wcscat");
    size_t part = n < limit ? n : limit;
    plain_copy(should, (unsigned char *)source, 4 * part);
    for (size_t at = 4 * part; at < 4 * limit; at++) ((volatile unsigned char *)should)[at] = 0;
    SAME(wcsncpy(is, source, limit) == is && alike(b), "wcsncpy");
    source[n] = kept;
    plain_copy(should, (unsigned char *)source, 4 * limit);
    SAME((below(2) ? wmemcpy : wmemmove)(is, source, limit) == is && alike(b), "wmemcpy");
    wchar_t one = (wchar_t)below(1 << 30);
    for (size_t at = 0; at < limit; at++) ((volatile wchar_t *)should)[at] = one;
    SAME(wmemset(is, one, limit) == is && alike(b), "wmemset");
}

static void printed(const struct buffers *b) {
    char *is = (char *)b->is + below(64), word[64], expected[256];
    size_t limit = below(80), n = below(sizeof word);
    for (size_t at = 0; at < n; at++) word[at] = (char)('a' + at % 26);
    word[n] = 0;
    /* On the stack nothing is checked: libc's own. */
    int length = snprintf(expected, sizeof expected, "%s|%d|%.3f|%c|%5s|%lld|%g|%x|%p", word, 1 << 30,
                          1.5, 'c', "ab", -7LL, 0.25, 255, (void *)16);
    SAME(length > 0, "snprintf");
    SAME(sprintf(is, "%s|%d|%.3f|%c|%5s|%lld|%g|%x|%p", word, 1 << 30, 1.5, 'c', "ab", -7LL, 0.25,
                 255, (void *)16) == length, "sprintf");
    for (int at = 0; at <= length; at++) SAME(is[at] == expected[at], "sprintf");
    SAME(snprintf(is, limit, "%s|%d|%.3f|%c|%5s|%lld|%g|%x|%p", word, 1 << 30, 1.5, 'c', "ab", -7LL,
                  0.25, 255, (void *)16) == length, "snprintf");
    for (size_t at = 0; at + 1 < limit && at < (size_t)length; at++) SAME(is[at] == expected[at], "snprintf");
    if (limit > 0) SAME(is[(size_t)length < limit ? (size_t)length : limit - 1] == 0, "snprintf");
    for (size_t at = 0; at < ROOM; at++) ((volatile unsigned char *)b->should)[at] = b->is[at];
}

static void rounds(uint64_t seed, size_t count) {
    static unsigned char statics[3][ROOM];
    state = seed * 0x9e3779b97f4a7c15 + 1;
    unsigned char *heap[3];
    for (int at = 0; at < 3; at++) heap[at] = early ? NULL : malloc(ROOM);
    for (size_t round = 0; round < count; round++) {
        /* Each in the heap or not; threads have the heap to themselves. */
        int mix = early ? 0 : seed >= 1000 ? 7 : (int)below(8);
        struct buffers b = {
            mix & 1 ? heap[0] : statics[0], mix & 2 ? heap[1] : statics[1],
            mix & 4 ? heap[2] : statics[2],
        };
        randomize(b.is, ROOM);
        randomize(b.source, ROOM);
        plain_copy(b.should, b.is, ROOM);
        bytes(&b);
        searches(&b);
        strings(&b);
        wide(&b);
        if (!early) printed(&b);
    }
    for (int at = 0; at < 3 && !early; at++) free(heap[at]);
}

static size_t rounds_of_threads;

static void *thread(void *number) {
    rounds(1000 + (uint64_t)(uintptr_t)number, rounds_of_threads);
    return NULL;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    seed_text = arguments[1];
    uint64_t seed = strtoull(arguments[1], NULL, 0);
    size_t most = strtoul(arguments[2], NULL, 0);
    early = count > 3 && strcmp(arguments[3], "early") == 0;
    rounds(seed % 1000, most);
    if (count > 3 && !early) {
        pthread_t threads[4];
        rounds_of_threads = most;
        for (uintptr_t at = 0; at < 4; at++) pthread_create(&threads[at], NULL, thread, (void *)(seed * 4 + at));
        pid_t child = fork();
        if (child == 0) {
            rounds(1000 + seed, most);
            _exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) return 1;
        for (int at = 0; at < 4; at++) pthread_join(threads[at], NULL);
    }
    puts("same");
    return 0;
}
