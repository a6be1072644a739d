/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Flows through a pointer to a pointer in a structure in a union to a loop that writes
 * backwards. */
#include "../corpus.h"
struct holder {
    union {
        char **where;
        uintptr_t bits;
    } inner;
    size_t last;
};

NOINLINE static void write_backwards(struct holder holder) {
    char *text = *holder.inner.where;
    text[holder.last] = 0;
    for (size_t i = holder.last; i-- > 0;) text[i] = '#';
}

int main(void) {
    char *text = malloc(48);
    struct holder holder = {.inner.where = &text, .last = number(DEFECT(48, 47))};
    write_backwards(holder);
    seen(text);
    printf("%.3s\n", text);
    free(text);
}
