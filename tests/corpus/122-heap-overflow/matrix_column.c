/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A matrix of rows, each a block: rows and columns are exchanged. */
#include "../corpus.h"
enum { ROWS = 8, COLUMNS = 6 };

int main(void) {
    double **matrix = malloc(ROWS * sizeof *matrix);
    for (int i = 0; i < ROWS; i++) matrix[i] = calloc(COLUMNS, sizeof **matrix);
    for (size_t row = 0; row < number(ROWS); row++)
        matrix[DEFECT(0, row)][DEFECT(row, 0)] = 1.0;
    seen(matrix[0]);
    printf("%.1f\n", matrix[0][0]);
    for (int i = 0; i < ROWS; i++) free(matrix[i]);
    free(matrix);
}
