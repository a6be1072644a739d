/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A thread of workers writes its result into the slot in front of its part. */
#include "../corpus.h"
struct part {
    double *results;
    int index;
};

static void work(void *argument) {
    struct part *part = argument;
    part->results[part->index - DEFECT(1, 0)] = 2.5;
    seen(part->results);
}

int main(void) {
    double *results = calloc(4, sizeof *results);
    for (int i = 0; i < 4; i++) {
        struct part part = {results, i};
        in_thread(work, &part);
    }
    printf("%.1f\n", results[2]);
    free(results);
}
