/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A matrix counted from 1 in memory that memalign aligned for vectors is used from 0. */
#include "../corpus.h"
#include <malloc.h>

int main(void) {
    float *memory = memalign(32, 16 * sizeof(float));
    float *from_one = memory - 1;
    for (size_t i = DEFECT(0, 1); i <= number(16); i++) from_one[i] = (float)i;
    seen(memory);
    printf("%.0f\n", memory[3]);
    free(memory);
}
