/* Calls every function of hakmem.h. C and C++. */

#include <hakmem.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                    \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);           \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

struct search {
    const void *block;
    size_t size;
    int state;
    int visits;
};

static int visit(const void *block, size_t size, int state, void *argument) {
    struct search *search = (struct search *)argument;
    search->visits++;
    if (block == search->block) {
        search->size = size;
        search->state = state;
    }
    return 0;
}

static int stop_at_once(const void *block, size_t size, int state, void *argument) {
    (void)block;
    (void)size;
    (void)state;
    ++*(int *)argument;
    return 7;
}

static struct search searched(const void *block) {
    struct search search;
    memset(&search, 0, sizeof search);
    search.block = block;
    REQUIRE(hakmem_walk(visit, &search) == 0);
    return search;
}

static void version(void) {
    char expected[64];
    REQUIRE(strcmp(hakmem_version(), HAKMEM_VERSION) == 0);
    sprintf(expected, "%d.%d.%d", HAKMEM_VERSION_MAJOR, HAKMEM_VERSION_MINOR,
            HAKMEM_VERSION_PATCH);
    REQUIRE(strcmp(expected, HAKMEM_VERSION) == 0);
}

static void sizes(void) {
    size_t size;
    REQUIRE(hakmem_usable_size(NULL) == 0);
    for (size = 0; size <= 32768; size += 7) {
        void *block = malloc(size);
        REQUIRE(block != NULL);
        REQUIRE(hakmem_usable_size(block) == hakmem_good_size(size));
        free(block);
    }
    REQUIRE(hakmem_good_size(32769) == 65536);
    REQUIRE(hakmem_good_size((1 << 20) + 1) == 2 << 20);
    for (size = 32769; size <= 5u << 20; size += 300007) {
        void *block = malloc(size);
        REQUIRE(block != NULL);
        REQUIRE(hakmem_usable_size(block) == hakmem_good_size(size));
        free(block);
    }
    REQUIRE(hakmem_good_size(SIZE_MAX) == SIZE_MAX);
}

static void options(void) {
    unsigned long option = 99;
    REQUIRE(hakmem_option(HAKMEM_OPTION_TINY_TLS_CAP, &option) == 1 && option == 64);
    REQUIRE(hakmem_option(HAKMEM_OPTION_SUPERSLAB_TTL_SEC, &option) == 0 && option == 64);
    REQUIRE(hakmem_option(-1, &option) == -1 && hakmem_option(9999, &option) == -1);
}

static void statistics(void) {
    char cut[16];
    size_t length = hakmem_stats_json(NULL, 0);
    char *text = (char *)malloc(2 * length);
    REQUIRE(length > sizeof cut);
    REQUIRE(hakmem_stats_json(cut, sizeof cut) >= sizeof cut);
    REQUIRE(strlen(cut) == sizeof cut - 1 && cut[0] == '{');
    length = hakmem_stats_json(text, 2 * length);
    REQUIRE(strlen(text) == length && text[0] == '{');
    free(text);
    hakmem_stats_print();
}

static void walk(void) {
    static char *blocks[1000];
    struct search live, freed;
    int calls = 0;
    int i;
    char *block = (char *)malloc(100);
    char *large = (char *)malloc(5 << 20);
    live = searched(block);
    REQUIRE(live.state == HAKMEM_BLOCK_LIVE);
    REQUIRE(live.size == hakmem_usable_size(block));
    REQUIRE(live.visits > 1);
    free(block);
    freed = searched(block);
    REQUIRE(freed.state == HAKMEM_BLOCK_CACHED && freed.size == live.size);
    live = searched(large);
    REQUIRE(live.state == HAKMEM_BLOCK_LIVE && live.size >= 5 << 20);
    free(large);
    REQUIRE(searched(large).state == 0);
    REQUIRE(hakmem_walk(stop_at_once, &calls) == 7 && calls == 1);
    REQUIRE(hakmem_walk(NULL, NULL) == 0);

    /* Every second one stays, so that the slabs do. */
    for (i = 0; i < 1000; i++) {
        blocks[i] = (char *)malloc(100);
    }
    for (i = 0; i < 1000; i += 2) {
        free(blocks[i]);
    }
    REQUIRE(hakmem_collect() == 1);
    for (i = 0; i < 1000; i += 2) {
        REQUIRE(searched(blocks[i]).state == HAKMEM_BLOCK_FREE);
    }
    for (i = 1; i < 1000; i += 2) {
        free(blocks[i]);
    }
}

static void watches(void) {
    /* ENOTSUP: a release build does not watch. */
    REQUIRE(hakmem_watch("size=100 on=free do=log") == -95);
    REQUIRE(hakmem_watch(NULL) < 0);
    REQUIRE(hakmem_unwatch(1) == -95);
}

int main(void) {
    version();
    sizes();
    options();
    statistics();
    walk();
    watches();
    REQUIRE(memcmp(hakmem_root(), "hakmem root ", 12) == 0);
    puts("fine");
    return 0;
}
