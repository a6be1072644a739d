/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A ring buffer of 30 KB steps back over its start without wrapping. */
#include "../corpus.h"
struct ring {
    uint32_t *slots;
    long head, count;
};

NOINLINE static void push_front(struct ring *ring, uint32_t value) {
    ring->head--;
    if (DEFECT(0, ring->head < 0)) ring->head += ring->count;
    ring->slots[ring->head] = value;
}

int main(void) {
    struct ring ring = {calloc(7500, sizeof(uint32_t)), 2, 7500};
    for (uint32_t i = 0; i < number(4); i++) push_front(&ring, i + 1);
    printf("%u\n", ring.slots[1]);
    free(ring.slots);
}
