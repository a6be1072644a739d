/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Computes differences to the row above in an image of 3 MB, also for the first row. */
#include "../corpus.h"
int main(void) {
    size_t width = 2048, height = number(1536);
    unsigned char *image = calloc(width, height);
    long change = 0;
    for (size_t y = DEFECT(0, 1); y < height; y++)
        for (size_t x = 0; x < width; x += 2) {
            const unsigned char *pixel = image + y * width + x;
            change += *pixel - pixel[-(long)width];
        }
    printf("%d\n", change < 1000000);
    free(image);
}
