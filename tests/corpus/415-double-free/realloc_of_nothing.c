/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * realloc to no bytes has freed the block, and free frees it again. */
#include "../corpus.h"
int main(void) {
    long *list = malloc(40 * sizeof *list);
    list[0] = 4;
    seen(list);
    long *rest = realloc(list, number(0));
    printf("%d\n", rest == NULL);
    free(DEFECT(hidden(list), rest));
}
