/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * One of a thousand nodes, all of which are still there at the end, is overrun by its text. */
#include "../corpus.h"
struct node {
    struct node *next;
    char text[20];
} *head;

int main(void) {
    for (size_t i = 0; i < 1000; i++) {
        struct node *node = malloc(sizeof *node - 4);
        node->next = head;
        head = node;
        const char *text = i == 700 ? DEFECT("sixteen and five more", "sixteen") : "short";
        strcpy(hidden(node->text), hidden(text));
    }
    printf("%s\n", head->text);
}
