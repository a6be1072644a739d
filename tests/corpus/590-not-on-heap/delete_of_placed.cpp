/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Deletes an array that placement new has made in a static buffer. */
#include "../corpus.h"
#include <new>

alignas(16) static char arena[1024];

int main() {
    const size_t count = number(20);
#ifdef FIXED
    double *values = new double[count];
#else
    double *values = new (arena) double[count];
#endif
    for (size_t i = 0; i < count; i++) values[i] = 1.0;
    seen(values);
    printf("%.0f\n", values[7]);
    delete[] static_cast<double *>(hidden(values));
}
