/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * A thread reads the element in front of its part of an array, and so does that of the first
 * part. */
#include "../corpus.h"
struct part {
    long *values;
    size_t from;
    long slope;
};

static void derive(void *argument) {
    struct part *part = argument;
    size_t before = part->from == 0 ? DEFECT((size_t)-1, 0) : part->from - 1;
    part->slope = part->values[part->from] - part->values[before];
}

int main(void) {
    long *values = calloc(600, sizeof *values);
    struct part parts[2] = {{values, 0, 0}, {values, number(300), 0}};
    in_thread(derive, &parts[1]);
    in_thread(derive, &parts[0]);
    printf("%d\n", parts[0].slope != 1 && parts[1].slope == 0);
    free(values);
}
