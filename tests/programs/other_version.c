// Leaves a root structure that another version of hakmem could have left, and waits or aborts:
// `other_version CHANGE END`.
//
// CHANGE: `none`; `version`, 7.8.9 instead of its own; `added`, another version with a name that nobody knows
// in place of one that readers can do without; `missing`, another version without a name that they
// need; `format`, another format. END: `abort`, or `wait`, having printed an address.

#define HAKMEM_WEAK
#include "../../capi/include/hakmem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER = 32, FORMAT = 16, COUNT = 20, ENTRY = 48, NAME = 40 };

static char *root;

static char *entry(const char *name) {
    uint32_t count;
    memcpy(&count, root + COUNT, sizeof count);
    for (uint32_t i = 0; i < count; i++) {
        char *at = root + HEADER + i * ENTRY;
        if (!strncmp(at, name, NAME)) return at;
    }
    fprintf(stderr, "no %s\n", name);
    exit(3);
}

static void set(const char *name, uint64_t number) { memcpy(entry(name) + NAME, &number, sizeof number); }

static void rename_to_unknown(const char *name) {
    char *at = entry(name);
    memset(at, 0, NAME);
    strcpy(at, "new.name");
}

int main(int argc, char **argv) {
    if (argc < 3 || !hakmem_root) return 2;
    void *volatile block = malloc(100);
    root = (char *)(uintptr_t)hakmem_root();
    if (!strcmp(argv[1], "format")) {
        uint32_t format = 2;
        memcpy(root + FORMAT, &format, sizeof format);
    } else if (strcmp(argv[1], "none")) {
        set("version.major", 7);
        set("version.minor", 8);
        set("version.patch", 9);
        if (!strcmp(argv[1], "added")) rename_to_unknown("slab.summary");
        if (!strcmp(argv[1], "missing")) rename_to_unknown("slab.free");
    }
    printf("%p\n", block);
    fflush(stdout);
    if (!strcmp(argv[2], "abort")) abort();
    for (;;) pause();
}
