/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A filter over an image of 1.5 MB writes the row above the first. */
#include "../corpus.h"
int main(void) {
    size_t width = number(1000), height = 1500;
    uint8_t *image = calloc(height, width);
    for (size_t y = DEFECT(0, 1); y < height; y += 100)
        for (size_t x = 900; x < width; x++) image[y * width + x - width] = 9;
    seen(image);
    printf("%u\n", image[950]);
    free(image);
}
