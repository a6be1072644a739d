/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Blocks with a counter in front are freed without going back to it. */
#include "../corpus.h"
static void *counted(size_t size) {
    long *block = malloc(sizeof *block + size);
    *block = 1;
    return block + 1;
}

static void release(void *counted) {
    long *block = (long *)counted - 1;
    if (--*block == 0) free(block);
}

int main(void) {
    char *text = counted(40);
    strcpy(text, "counted");
    printf("%s\n", text);
    (DEFECT(free, release))(hidden(text));
}
