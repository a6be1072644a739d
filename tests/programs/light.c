/* What the level light keeps at the end of a block's place: each case does one thing, named by the
 * first argument. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS = 7, EARLY = 40, BLOCKS = 200, MANY = 6000 };

/* Blocks that were handed out before the environment could be read: before libc is initialized. */
static void *early[EARLY];

static void make_early(int count, char **arguments) {
    if (count < 2 || strncmp(arguments[1], "early", 5) != 0) return;
    for (int i = 0; i < EARLY; i++) early[i] = malloc(1 + 60 * (size_t)i);
}
__attribute__((section(".preinit_array"), used)) static void (*before_all)(int, char **) =
    make_early;

__attribute__((noinline, noclone)) static char *make(size_t size) {
    char *block = malloc(size);
    __asm__ volatile("" : "+r"(block)::"memory");
    return block;
}

__attribute__((noinline, noclone)) static void drop(void *block) {
    __asm__ volatile("" : "+r"(block)::"memory");
    free(block);
}

static void say(const char *what, const void *block) {
    printf("%s %p\n", what, block);
    fflush(stdout);
}

/* Three neighbours that fill their places; the one in the middle is told of. */
static char *below, *item, *above;

static void begin(size_t size) {
    size_t place = (size + 8 + 15) & ~(size_t)15;
    /* Of many there are three in a row. */
    for (int i = 0; i < 100; i++) {
        below = item;
        item = above;
        above = make(size);
        if (item == below + place && above == item + place) break;
    }
    memset(below, 1, size);
    memset(item, 1, size);
    memset(above, 1, size);
    say("item", item);
    say("below", below);
    say("above", above);
}

static void *drop_at_once(void *barrier) {
    for (int i = 0; i < BLOCKS; i++) {
        pthread_barrier_wait(barrier);
        drop(early[i % EARLY]);
        pthread_barrier_wait(barrier);
    }
    return NULL;
}

static void two_threads(void) {
    pthread_barrier_t barrier;
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, drop_at_once, &barrier);
    for (int i = 0; i < BLOCKS; i++) {
        early[i % EARLY] = make(24);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

/* All places of many slabs, in which each byte that was asked for is written, class after class. */
static void other_classes(void) {
    static char *blocks[MANY];
    for (size_t size = 8; size < 3000; size = size * 2 + 24) {
        for (int i = 0; i < MANY; i++) {
            blocks[i] = i % 3 ? make(size) : calloc(1, size);
            memset(blocks[i], 0xde, size);
        }
        for (int i = 0; i < MANY; i++) drop(blocks[(i * 7) % MANY]);
        malloc_trim(0);
    }
}

int main(int count, char **arguments) {
    const char *which = count > 1 ? arguments[1] : "";
    if (strcmp(which, "one_behind") == 0) {
        begin(24);
        item[24] = 0;
        drop(item);
    } else if (strcmp(which, "two_behind") == 0) {
        begin(24);
        memcpy(item + 24, "ab", 2);
    } else if (strcmp(which, "four_behind") == 0) {
        begin(24);
        memcpy(item + 24, "abcd", 4);
        drop(item);
    } else if (strcmp(which, "eight_behind") == 0) {
        begin(24);
        memset(item + 24, 'x', 8);
        drop(item);
    } else if (strcmp(which, "from_the_pattern") == 0) {
        begin(20);
        memset(item + 21, 'x', 4);
        drop(item);
    } else if (strcmp(which, "one_in_front") == 0) {
        begin(24);
        item[-1] = 0; /* No word ends with that. */
        drop(item);
    } else if (strcmp(which, "four_in_front") == 0) {
        begin(24);
        /* All of them are others then. */
        for (int i = 1; i <= 4; i++) item[-i] ^= 0x55;
        drop(item);
    } else if (strcmp(which, "eight_in_front") == 0) {
        begin(16);
        memset(item - 8, 'x', 8);
        drop(item);
    } else if (strcmp(which, "freed_below") == 0) {
        begin(24);
        drop(below);
        memset(item - 8, 'x', 8);
        drop(item);
    } else if (strcmp(which, "behind_a_freed") == 0) {
        begin(24);
        drop(item);
        drop(above);
        item[24] = 0;
    } else if (strcmp(which, "copied_word") == 0) {
        begin(24);
        memcpy(item + 24, below + 24, 8);
        drop(item);
    } else if (strcmp(which, "first") == 0) {
        begin(2040);
        /* The first block of a slab has only what is kept back below it. */
        char *block = item;
        while (((size_t)block & 0xffff) != 2048) block = make(2040);
        say("first", block);
        block[-1] = 0;
        drop(block);
    } else if (strcmp(which, "resized_first_place") == 0) {
        /* What a slab keeps back in front of its first block is nobody's. */
        char *kept = (char *)((size_t)make(24) & ~(size_t)0xffff);
        say("kept", kept);
        drop(realloc(kept, 20));
    } else if (strcmp(which, "measured_first_place") == 0) {
        char *kept = (char *)((size_t)make(24) & ~(size_t)0xffff);
        say("kept", kept);
        return (int)malloc_usable_size(kept);
    } else if (strcmp(which, "freed_first_place") == 0) {
        /* The first slab of all: there is no memory in front of it. */
        char *kept = (char *)((size_t)make(24) & ~(size_t)0xffff);
        say("kept", kept);
        drop(kept);
    } else if (strcmp(which, "two_threads") == 0) {
        two_threads();
    } else if (strcmp(which, "other_classes") == 0) {
        other_classes();
    } else if (strcmp(which, "early") == 0) {
        for (int i = 0; i < EARLY; i++) {
            memset(early[i], 0xa0, 1 + 60 * (size_t)i);
            if (i % 4 == 1) early[i] = realloc(early[i], 1000);
            drop(early[i]);
        }
    } else if (strcmp(which, "early_twice") == 0) {
        drop(early[7]);
        drop(early[7]);
    } else if (strcmp(which, "early_kept") == 0) {
        for (int i = 0; i < MANY; i++) make(1 + (size_t)i % 2000);
        for (int i = 0; i < EARLY; i++) drop(early[i]);
    }
    puts("end");
    return STATUS;
}
