/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Nodes of a list are made by malloc or by new, and the last kind decides how all are freed. */
#include "../corpus.h"
struct Node {
    Node *next;
    bool from_new;
    char payload[2100];
};

int main() {
    Node *list = nullptr;
    for (size_t i = 0; i < number(6); i++) {
        bool from_new = i % 2 == 1;
        Node *node = from_new ? new Node : static_cast<Node *>(malloc(sizeof(Node)));
        node->next = list;
        node->from_new = from_new;
        list = node;
    }
    while (list) {
        Node *node = list;
        list = node->next;
        if (DEFECT(true, node->from_new))
            delete node;
        else
            free(node);
    }
    printf("freed\n");
}
