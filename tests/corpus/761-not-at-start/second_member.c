/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Frees a list by the links that are embedded in its elements, and that are not their first
 * members. */
#include "../corpus.h"
struct link {
    struct link *next;
};

struct element {
    int64_t value;
    struct link link;
};

int main(void) {
    struct link *list = NULL;
    for (int i = 0; i < 3; i++) {
        struct element *element = malloc(sizeof *element);
        element->value = i;
        element->link.next = list;
        list = &element->link;
    }
    while (list) {
        struct link *link = list;
        list = list->next;
        free((char *)hidden(link) - DEFECT(0, offsetof(struct element, link)));
    }
    printf("freed\n");
}
