/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Frees five megabytes twice, which a system allocator has given back after the first time. */
#include "../corpus.h"
static double *grid;

static void shut_down(void) {
    free(grid);
#ifdef FIXED
    grid = NULL;
#endif
}

int main(void) {
    grid = malloc(number(5 << 20));
    grid[1000] = 1.5;
    printf("%.1f\n", grid[1000]);
    shut_down();
    shut_down();
}
