/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A callback that fills buffers takes them all for as large as the largest. */
#include "../corpus.h"
typedef void (*filler)(char *buffer);

static void by_switch(char *buffer) {
    switch (number(DEFECT(3, 1))) {
    case 3: memset(buffer + 96, 'c', 32); /* fall through */
    case 2: memset(buffer + 64, 'b', 32); /* fall through */
    case 1: memset(buffer, 'a', 64); break;
    }
}

static void provide(size_t size, filler fill) {
    char *buffer = malloc(size);
    fill(buffer);
    printf("%c\n", *buffer);
    free(buffer);
}

int main(void) { provide(64, hidden(by_switch)); }
