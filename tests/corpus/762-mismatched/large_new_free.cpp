/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Another thread frees an image of one megabyte and a half that this one made by new[]. */
#include "../corpus.h"
static void show(void *image) {
    printf("%u\n", static_cast<unsigned char *>(image)[1 << 20]);
#ifdef FIXED
    delete[] static_cast<unsigned char *>(image);
#else
    free(image);
#endif
}

int main() {
    unsigned char *image = new unsigned char[number(3 << 19)];
    memset(image, 200, 3 << 19);
    in_thread(show, image);
}
