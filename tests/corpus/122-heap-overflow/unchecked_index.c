/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Takes an index from its input and checks it for being negative only. */
#include "../corpus.h"
int main(void) {
    int index = atoi(hidden("10"));
    int *votes = calloc(10, sizeof *votes);
    if (index >= 0 && DEFECT(1, index < 10)) votes[index]++;
    seen(votes);
    for (int i = 0; i < 10; i++) printf("%d ", votes[i]);
    printf("\n");
    free(votes);
}
