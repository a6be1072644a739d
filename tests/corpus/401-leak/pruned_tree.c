/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * A subtree is cut off a tree without being freed. */
#include "../corpus.h"
struct tree {
    struct tree *children[2];
    int depth;
};

static struct tree *grow(int depth) {
    struct tree *tree = calloc(1, sizeof *tree);
    tree->depth = depth;
    for (int i = 0; depth > 0 && i < 2; i++) tree->children[i] = grow(depth - 1);
    return tree;
}

static void fell(struct tree *tree) {
    if (tree == NULL) return;
    fell(tree->children[0]);
    fell(tree->children[1]);
    free(tree);
}

static struct tree *root;

NOINLINE static void prune(void) {
    if (DEFECT(0, 1)) fell(root->children[1]);
    root->children[1] = NULL;
}

int main(void) {
    root = grow((int)number(6));
    prune();
    printf("%d\n", root->children[0]->depth);
    fell(root);
    root = NULL;
    scrub();
}
