/* Memory functions before anything is set up: in a function that the loader asks for an address
 * while it relocates the program, in constructors, and in a program that allocates nothing. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char kept[64];
static int seen;

static int chosen(void) { return 7; }

static int (*choose(void))(void) {
    /* Nothing may be called here but what does not need to be relocated; the preload is. */
    return chosen;
}
static int choice(void) __attribute__((ifunc("choose")));

__attribute__((constructor(101))) static void first(void) {
    char text[64];
    strcpy(text, "early");
    memset(text + 5, 'x', 20);
    text[25] = 0;
    memmove(kept, text, strlen(text) + 1);
    seen += sprintf(text, "%d %s %.2f", 42, kept, 2.5) == 33;
    seen += strcmp(text, "42 earlyxxxxxxxxxxxxxxxxxxxx 2.50") == 0;
}

__attribute__((constructor)) static void second(void) {
    seen += strchr(kept, 'x') == kept + 5 && memcmp(kept, "early", 5) == 0;
}

__attribute__((destructor)) static void last(void) {
    char text[64];
    int length = snprintf(text, sizeof text, "seen %d, %d\n", seen, choice());
    if (write(1, text, (size_t)length) != length) _exit(1);
}

int main(void) { return 0; }
