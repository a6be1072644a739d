/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A loop over rows frees the previous row again when a row is empty. */
#include "../corpus.h"
int main(void) {
    const size_t sizes[] = {20000, 15000, 0, 30000};
    char *row = NULL;
    for (size_t i = 0; i < 4; i++) {
        if (sizes[i] > 0) {
            row = malloc(number(sizes[i]));
            row[0] = 'r';
            seen(row);
        } else if (DEFECT(0, 1)) {
            continue;
        }
        free(row);
    }
    printf("rows\n");
}
