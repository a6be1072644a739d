/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Two lists share their tail, and both are freed to the end. */
#include "../corpus.h"
struct node {
    struct node *next;
    short value;
};

static struct node *push(struct node *tail, short value) {
    struct node *node = malloc(sizeof *node);
    node->value = value;
    node->next = tail;
    return node;
}

static void drop(struct node *node, const struct node *until) {
    struct node *all[8];
    int count = 0;
    for (; node != until; node = node->next) all[count++] = node;
    while (count > 0) free(all[--count]);
}

int main(void) {
    struct node *shared = push(push(NULL, 1), 2);
    struct node *first = push(shared, 3), *second = push(push(shared, 4), 5);
    struct node *copies[2] = {shared->next, shared};
    drop(second, shared);
    drop(first, NULL);
#ifndef FIXED
    for (int i = 0; i < 2; i++) free(copies[i]);
#endif
    seen(copies);
    printf("dropped\n");
}
