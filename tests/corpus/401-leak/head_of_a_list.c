/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Frees the first node of a list and not the others. */
#include "../corpus.h"
struct node {
    struct node *next;
    int64_t payload[4];
};

static struct node *list;

NOINLINE static void build(int count) {
    while (count-- > 0) {
        struct node *node = calloc(1, sizeof *node);
        node->next = list;
        list = node;
    }
}

NOINLINE static void drop(void) {
    while (list) {
        struct node *next = list->next;
        free(list);
        list = DEFECT(NULL, next);
    }
}

int main(void) {
    build((int)number(25));
    drop();
    scrub();
    printf("%d\n", list == NULL);
}
