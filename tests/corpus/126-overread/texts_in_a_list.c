/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Compares texts in a list; one of many was stored without its terminator, and blocks follow. */
#include "../corpus.h"
struct item {
    struct item *next;
    char *key;
};

static struct item *add(struct item *list, const char *key, size_t length) {
    struct item *item = malloc(sizeof *item);
    item->key = memcpy(malloc(length), key, length);
    item->next = list;
    return item;
}

int main(void) {
    static const char key[] = "a key that has exactly 47 characters in itself.";
    struct item *list = NULL;
    for (int i = 0; i < 50; i++) list = add(list, key, i == 20 ? DEFECT(47, 48) : 48);
    int equal = 0;
    for (struct item *item = list; item; item = item->next) equal += strcmp(item->key, hidden(key)) == 0;
    printf("%d\n", equal > 40);
    while (list) {
        struct item *next = list->next;
        free(list->key);
        free(list);
        list = next;
    }
}
