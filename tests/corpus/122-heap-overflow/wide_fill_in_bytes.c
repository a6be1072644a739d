/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Fills a buffer of 4 KB by wmemset with a count of bytes instead of wide characters. */
#include "../corpus.h"
int main(void) {
    size_t bytes = number(4096);
    wchar_t *screen = malloc(bytes);
    wmemset(screen, L' ', DEFECT(bytes, bytes / sizeof(wchar_t)));
    printf("%d\n", (int)screen[10]);
    free(screen);
}
