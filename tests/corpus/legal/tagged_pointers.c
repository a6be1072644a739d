/* The only pointers to blocks carry a mark in their lowest bits. */
#include "../corpus.h"
static uintptr_t roots[3];

struct pair {
    uintptr_t left, right;
};

static uintptr_t leaf(const char *text) { return (uintptr_t)strdup(text) | 1; }

static uintptr_t pair(uintptr_t left, uintptr_t right) {
    struct pair *pair = malloc(sizeof *pair);
    pair->left = left;
    pair->right = right;
    return (uintptr_t)pair | 2;
}

static size_t length(uintptr_t tagged) {
    if (tagged & 1) return strlen((char *)(tagged - 1));
    struct pair *pair = (struct pair *)(tagged - 2);
    return length(pair->left) + length(pair->right);
}

int main(void) {
    for (int i = 0; i < 3; i++) roots[i] = pair(pair(leaf("one"), leaf("two")), leaf("three"));
    scrub();
    printf("%zu\n", length(roots[0]) + length(roots[2]));
}
