/* Pointers are kept as offsets of 32 bits into one large block. */
#include "../corpus.h"
struct node {
    uint32_t next, value;
};

int main(void) {
    struct node *nodes = calloc(1000, sizeof *nodes);
    uint32_t head = 0;
    for (uint32_t i = 1; i < 1000; i++) {
        nodes[i] = (struct node){head, i};
        head = i;
    }
    unsigned long total = 0;
    for (; head; head = nodes[head].next) total += nodes[head].value;
    printf("%lu\n", total);
    free(nodes);
}
