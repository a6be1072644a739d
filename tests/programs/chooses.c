/* A library with a function for each processor, as it were. Who asks which one it is calls memory functions,
 * as soon as another library is relocated that uses the function. */
#include <stddef.h>
#include <string.h>

static int right(void) { return 7; }
static int wrong(void) { return 0; }

static void *(*volatile fill)(void *, int, size_t) = memset;
static size_t (*volatile length)(const char *) = strlen;

static int (*choose(void))(void) {
    char text[40];
    fill(text, 'x', sizeof text);
    text[30] = 0;
    return length(text) == 30 ? right : wrong;
}
int choice(void) __attribute__((ifunc("choose")));
