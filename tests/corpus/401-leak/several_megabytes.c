/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Blocks of three megabytes are lost, one for each frame. */
#include "../corpus.h"
NOINLINE static unsigned frame(int n) {
    unsigned char *pixels = malloc(3u << 20);
    pixels[n] = (unsigned char)n;
    pixels[n + 4096] = 1;
    unsigned result = sum(pixels + n, 1);
#ifdef FIXED
    free(pixels);
#endif
    return result;
}

int main(void) {
    unsigned total = 0;
    for (int n = 0; n < 5; n++) total += frame(n);
    scrub();
    printf("%u\n", total);
}
