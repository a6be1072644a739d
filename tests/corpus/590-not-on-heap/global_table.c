/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * A table of defaults, that is a global, is freed as if it had been replaced. */
#include "../corpus.h"
static int64_t defaults[64] = {1, 2, 3};
static int64_t *settings = defaults;

NOINLINE static void load(int found) {
    if (!found) return;
    settings = calloc(64, sizeof *settings);
}

int main(void) {
    load((int)number(DEFECT(0, 1)));
    seen(settings);
    printf("%d\n", (int)settings[40]);
    free(settings);
}
