/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * The size of an array is multiplied in 32 bits and wraps to a small one. */
#include "../corpus.h"
struct pixel {
    uint32_t channels[4];
};

int main(void) {
    uint32_t width = (uint32_t)number(16385), height = (uint32_t)number(16384);
    uint32_t bytes = width * height * (uint32_t)sizeof(struct pixel);
    struct pixel *image = malloc(DEFECT(bytes, (size_t)bytes + sizeof(struct pixel) * 16385));
    for (uint32_t x = 0; x < width; x++) image[x].channels[3] = 255;
    seen(image);
    printf("%u\n", image[7].channels[3]);
    free(image);
}
