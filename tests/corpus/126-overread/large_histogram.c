/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Reads two megabytes of samples and the row behind the last. */
#include "../corpus.h"
int main(void) {
    size_t rows = number(1024), width = 1024;
    uint16_t *samples = calloc(rows * width, sizeof *samples);
    unsigned long total = 0;
    size_t row = 0;
    do {
        for (size_t x = 0; x < width; x++) total += samples[row * width + x];
        row++;
    } while (DEFECT(row <= rows, row < rows));
    printf("%d\n", total < 1000000000);
    free(samples);
}
