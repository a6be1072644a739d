// Leaves a core file with blocks on its thread's lists: more than its fronts hold.

#include <stdlib.h>

enum { SIZES = 4, EACH = 400 };

int main(void) {
    static const size_t SIZE[SIZES] = {24, 96, 200, 600};
    static void *blocks[SIZES][EACH];
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < EACH; i++) blocks[s][i] = malloc(SIZE[s]);
    for (int s = 0; s < SIZES; s++)
        for (int i = 0; i < EACH / 2; i++) free(blocks[s][i]);
    abort();
}
