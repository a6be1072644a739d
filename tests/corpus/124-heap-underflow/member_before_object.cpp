/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A pointer to a member is taken for one to the object that it is the second member of. */
#include "../corpus.h"
struct Link {
    Link *next = nullptr;
    uint64_t weight = 1;
};
struct Node {
    uint64_t name = 2;
    Link link;
};

NOINLINE static Node *owner(Link *link) {
    return reinterpret_cast<Node *>(reinterpret_cast<char *>(link) - offsetof(Node, link));
}

int main() {
    Node *node = new Node;
    Link *link = DEFECT(new Link, &node->link);
    owner(static_cast<Link *>(hidden(link)))->name = 7;
    seen(link);
    printf("%d\n", static_cast<int>(link->weight));
    if (DEFECT(true, false)) delete link;
    delete node;
}
