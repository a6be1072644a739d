/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A table of aligned buffers has one under two names. */
#include "../corpus.h"
struct slot {
    const char *name;
    void *buffer;
};

int main(void) {
    struct slot slots[3] = {{"input"}, {"output"}, {"error"}};
    for (int i = 0; i < 3; i++)
        if (posix_memalign(&slots[i].buffer, 128, 640) != 0) return 120;
#ifndef FIXED
    void *lost = slots[2].buffer;
    slots[2] = slots[1];
    free(lost);
#endif
    for (size_t i = 0; i < number(3); i++) free(slots[i].buffer);
    printf("%s\n", slots[0].name);
}
