/* Keeps dropped nodes in a list of its own, linked through their first word, and hands them
 * out again. */
#include "../corpus.h"
struct node {
    struct node *next;
    int payload[5];
};

static struct node *spare, *all[64];
static size_t made;

static struct node *take(void) {
    struct node *node = spare;
    if (node != NULL)
        spare = node->next;
    else
        node = all[made++] = malloc(sizeof *node);
    memset(node, 0, sizeof *node);
    return node;
}

static void drop(struct node *node) {
    node->next = spare;
    spare = node;
}

int main(void) {
    struct node *held[20];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 20; i++) held[i] = take();
        for (int i = 0; i < 20; i++) drop(held[(i * 7 + round) % 20]);
    }
    printf("%zu\n", made);
    for (size_t i = 0; i < made; i++) free(all[i]);
}
