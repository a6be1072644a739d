/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Deletes a vector of aligned_alloc by operator delete. */
#include "../corpus.h"
#include <new>

int main() {
    float *vector = static_cast<float *>(aligned_alloc(64, number(4096)));
    for (int i = 0; i < 1024; i++) vector[i] = 0.5f;
    seen(vector);
    printf("%.1f\n", static_cast<double>(vector[1023]));
    if (DEFECT(true, false))
        ::operator delete(hidden(vector));
    else
        free(vector);
}
