/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Copies a structure out of a block that holds the older, shorter version of it. */
#include "../corpus.h"
struct version_1 {
    uint64_t fields[4];
};
struct version_2 {
    uint64_t fields[4], more[8];
};

int main(void) {
    struct version_1 *old = calloc(1, DEFECT(sizeof(struct version_1), sizeof(struct version_2)));
    struct version_2 copy = *(struct version_2 *)hidden(old);
    seen(&copy);
    printf("%d\n", (int)copy.fields[2]);
    free(old);
}
