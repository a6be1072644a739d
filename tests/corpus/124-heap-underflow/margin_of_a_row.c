/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Blurs the first row of a picture into the row above, which is not there: one pixel of it, some hundred
 * bytes in front of the block. */
#include "../corpus.h"
enum { WIDTH = 1200, HEIGHT = 16 };

int main(void) {
    unsigned char *picture = calloc(HEIGHT, WIDTH);
    for (size_t y = DEFECT(0, 1); y < number(HEIGHT); y++) {
        unsigned char *above = picture + (long)(y * WIDTH) - WIDTH;
        above[number(800)] = (unsigned char)(y + 1);
    }
    seen(picture);
    printf("%u\n", sum(picture, HEIGHT * WIDTH));
    free(picture);
}
