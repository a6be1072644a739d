/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * A ring whose nodes point to one another is dropped as a whole. */
#include "../corpus.h"
struct node {
    struct node *next, *previous;
};

static struct node *ring;

NOINLINE static void insert(void) {
    struct node *node = malloc(sizeof *node);
    if (ring == NULL) {
        node->next = node->previous = node;
    } else {
        node->next = ring;
        node->previous = ring->previous;
        node->previous->next = node->next->previous = node;
    }
    ring = node;
}

NOINLINE static void clear(void) {
#ifdef FIXED
    struct node *node = ring->next;
    while (node != ring) {
        struct node *next = node->next;
        free(node);
        node = next;
    }
    free(ring);
#endif
    ring = NULL;
}

int main(void) {
    for (int i = 0; i < 12; i++) insert();
    clear();
    scrub();
    printf("cleared\n");
}
