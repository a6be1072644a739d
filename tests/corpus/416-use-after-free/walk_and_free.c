/* CWE: 416
 * Kinds: use-after-free, invalid-free
 * Found: guards
 *
 * Frees the nodes of a list while it goes from one to the next. */
#include "../corpus.h"
struct node {
    int64_t value;
    struct node *next;
};

int main(void) {
    struct node *list = NULL;
    for (int i = 0; i < 3; i++) {
        struct node *node = malloc(sizeof *node);
        node->next = list;
        list = node;
    }
    int count = 0;
    while (list && count < 3) {
        struct node *node = list;
#ifdef FIXED
        list = node->next;
        free(node);
#else
        free(node);
        list = ((struct node *)hidden(node))->next;
#endif
        count++;
    }
    printf("%d\n", count > 0);
}
