/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Gives realloc the address of what has not been consumed of a queue. */
#include "../corpus.h"
struct queue {
    uint32_t *first, *next;
    size_t count;
};

int main(void) {
    struct queue queue = {calloc(16, sizeof(uint32_t)), NULL, 16};
    queue.next = queue.first + number(4);
    queue.next[0] = 9;
#ifdef FIXED
    memmove(queue.first, queue.next, 12 * sizeof *queue.first);
    queue.first = realloc(queue.first, 32 * sizeof *queue.first);
#else
    queue.first = realloc(queue.next, 32 * sizeof *queue.first);
#endif
    printf("%u\n", queue.first[0]);
    free(queue.first);
}
