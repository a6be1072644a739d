/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A growing list doubles its array one element too late; the overrun is there when it is
 * reallocated. */
#include "../corpus.h"
struct list {
    int *items;
    size_t used, room;
};

NOINLINE static void push(struct list *list, int item) {
    if (DEFECT(list->used > list->room, list->used == list->room)) {
        list->room *= 2;
        list->items = realloc(list->items, list->room * sizeof(int));
    }
    list->items[list->used++] = item;
}

int main(void) {
    struct list list = {malloc(4 * sizeof(int)), 0, number(4)};
    for (int i = 0; i < 9; i++) push(&list, i * 3);
    printf("%d\n", list.items[3]);
    free(list.items);
}
