/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Takes a slot's number times the wrong size: one field is written far behind the newest of many
 * blocks, at the very start of a place that nobody has had. */
#include "../corpus.h"
struct slot {
    int key;
    int values[24];
};

int main(void) {
    struct slot *slots[150];
    for (int i = 0; i < 150; i++) {
        slots[i] = malloc(sizeof *slots[i]);
        memset(slots[i], i, sizeof *slots[i]);
    }
    int *newest = slots[149]->values - 1;
    newest[number(DEFECT(8 * 28, 8))] = 1;
    seen(newest);
    int total = 0;
    for (int i = 0; i < 150; i++) {
        total += slots[i]->values[9];
        free(slots[i]);
    }
    printf("%d\n", total);
}
