/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A structure is assigned to another, and both free what the member points to. */
#include "../corpus.h"
struct image {
    int width, height;
    int *pixels;
};

static void clear(struct image *image) { free(image->pixels); }

int main(void) {
    struct image first = {12, 10, calloc(120, sizeof(int))}, second = first;
    second.width = (int)number(6);
#ifdef FIXED
    second.pixels = calloc(60, sizeof(int));
#endif
    seen(&first);
    clear(&second);
    clear(&first);
    printf("%d\n", first.width + second.width);
}
