/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Deletes the first row of a table by moving all behind it, and one more. */
#include "../corpus.h"
struct row {
    int64_t cells[6];
};

int main(void) {
    size_t count = number(7);
    struct row *rows = calloc(count, sizeof *rows);
    memmove(&rows[0], &rows[1], (count - DEFECT(0, 1)) * sizeof *rows);
    printf("%d\n", (int)rows[0].cells[1]);
    free(rows);
}
