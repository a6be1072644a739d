/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Another thread frees the block that this thread has freed. */
#include "../corpus.h"
static void drop(void *block) { free(block); }

int main(void) {
    int64_t *block = malloc(number(333));
    block[0] = 1;
    seen(block);
    free(DEFECT(block, NULL));
    in_thread(drop, block);
    printf("dropped\n");
}
