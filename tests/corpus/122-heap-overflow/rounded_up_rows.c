/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * An image of 20 KB has rows of 99 bytes; it is cleared as if they were padded to 100. */
#include "../corpus.h"
int main(void) {
    size_t rows = number(200);
    unsigned char *image = malloc(rows * 99);
    for (size_t row = 0; row < rows; row++) {
        size_t width = DEFECT(100, 99);
        memset(image + row * width, (int)row, width);
    }
    printf("%u\n", image[0]);
    free(image);
}
