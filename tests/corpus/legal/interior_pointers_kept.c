/* The only pointers to blocks that are left point into their middle. */
#include "../corpus.h"
struct block {
    char before[40];
    int64_t value;
    char after[40];
};

static int64_t *values[30];

int main(void) {
    for (int i = 0; i < 30; i++) {
        struct block *block = calloc(1, sizeof *block);
        block->value = i;
        values[i] = &block->value;
    }
    scrub();
    int64_t total = 0;
    for (int i = 0; i < 30; i++) total += *values[i];
    printf("%d\n", (int)total);
}
