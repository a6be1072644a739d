/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Marks a block in the header that its own allocator puts in front, but this one came from
 * malloc. */
#include "../corpus.h"
struct header {
    size_t size;
    unsigned marks;
    unsigned magic;
};

static void *with_header(size_t size) {
    struct header *header = malloc(sizeof *header + size);
    header->size = size;
    header->magic = 0x1234;
    return header + 1;
}

NOINLINE static void mark(void *block) { ((struct header *)block)[-1].marks = 3; }

int main(void) {
    void *block = number(1) ? DEFECT(malloc(50), with_header(50)) : NULL;
    mark(hidden(block));
    memset(block, 0, 50);
    printf("marked\n");
    free(DEFECT(block, (struct header *)block - 1));
}
