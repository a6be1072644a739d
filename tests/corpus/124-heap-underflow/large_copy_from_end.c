/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Copies 70 000 bytes backwards in steps of 64. */
#include "../corpus.h"
int main(void) {
    size_t size = number(70000);
    char *source = malloc(size), *target = malloc(size);
    memset(source, 's', size);
    memset(target, 't', size);
    char *from = source + size, *to = target + size;
    for (size_t left = size; left > 0;) {
        size_t step = DEFECT(64, left < 64 ? left : 64);
        to -= step;
        from -= DEFECT(left < 64 ? left : 64, step);
        memcpy(to, from, step);
        left -= left < 64 ? left : 64;
    }
    printf("%c\n", target[100]);
    free(source);
    free(target);
}
