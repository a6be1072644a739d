/* A program that opens a library (DEEPBOUND) with RTLD_DEEPBIND, as PHP opens its extensions, and
 * exchanges blocks with it. */
#include "check.h"

#include <dlfcn.h>

static void *function(void *library, const char *name) {
    void *address = dlsym(library, name);
    CHECK(address != NULL, "dlsym: %s", dlerror());
    return address;
}

static void blocks_are_exchanged(void) {
    void *library = dlopen(getenv("DEEPBOUND"), RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND);
    CHECK(library != NULL, "dlopen: %s", dlerror());
    char *(*first)(void) = function(library, "deepbound_first");
    void *(*give)(size_t) = function(library, "deepbound_give");
    void (*take)(void *) = function(library, "deepbound_take");
    void *(*allocator)(void) = function(library, "deepbound_allocator");
    EQ(allocator(), (void *)malloc);
    EQ(strcmp(first(), "from the start"), 0);
    free(first());
    for (size_t bytes = 1; bytes < 300000; bytes = bytes * 3 / 2 + 1) {
        void *theirs = give(bytes), *ours = malloc(bytes);
        memset(theirs, 1, bytes);
        memset(ours, 2, bytes);
        free(theirs);
        take(ours);
    }
}

/* The name alone: it is found where the caller is set up to look. */
static void found_as_the_caller_looks(void) {
    void *library = dlopen("libdeepbound_c.so", RTLD_NOW);
    CHECK(library != NULL, "dlopen: %s", dlerror());
}

static void what_is_missing_is_told(void) {
    EQ(dlopen("/there/is/none.so", RTLD_NOW | RTLD_DEEPBIND), NULL);
    CHECK(strstr(dlerror(), "/there/is/none.so") != NULL, "the error names no file");
}

CASES(CASE(blocks_are_exchanged), CASE(found_as_the_caller_looks), CASE(what_is_missing_is_told))
