/* Leaves a large core file: `large_core MIB`. So many MiB of blocks of 16 to 2048 bytes, in lists that
 * variables hold, but for one block in 1000, which is lost; then prints an address in a block, how many
 * blocks there are and how many were lost, and dies. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTS = 1024 };
struct node {
    struct node *next;
    uint64_t size;
};

static struct node *lists[LISTS];

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    uint64_t left = strtoull(argv[1], NULL, 0) << 20, state = 42, blocks = 0, lost = 0;
    struct node *node = NULL;
    while (left > 2048) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        /* Most blocks are small. */
        uint64_t size = 16 + (state >> 33) % (16u << ((state >> 60) % 8));
        node = malloc(size);
        if (!node) return 3;
        node->size = size;
        memset(node + 1, 0, size - sizeof *node);
        if (state >> 40 & 1023) {
            struct node **list = &lists[(state >> 20) % LISTS];
            node->next = *list;
            *list = node;
        } else {
            node->next = NULL;
            lost++;
        }
        left -= size;
        blocks++;
    }
    printf("%p %llu %llu\n", (void *)lists[0], (unsigned long long)blocks, (unsigned long long)lost);
    fflush(stdout);
    node = NULL;
    abort();
}
