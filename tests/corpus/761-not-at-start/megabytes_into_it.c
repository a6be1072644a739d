/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the third megabyte of five, the cursor of a loop that fills them. */
#include "../corpus.h"
int main(void) {
    const size_t step = number(1 << 20);
    char *block = malloc(5 * step), *cursor = block;
    for (int part = 0; part < 3; part++, cursor += step) memset(cursor, part, step);
    printf("%d\n", cursor[-1]);
    free(DEFECT(cursor, block));
}
