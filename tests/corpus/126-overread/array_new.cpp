/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Finds the largest of an array whose length was given in bytes. */
#include "../corpus.h"
template <typename T> NOINLINE static T largest(const T *values, size_t count) {
    T most = values[0];
    for (size_t i = 1; i < count; i++) most = values[i] > most ? values[i] : most;
    return most;
}

int main() {
    int64_t *values = new int64_t[18]();
    size_t bytes = number(18 * sizeof *values);
    printf("%d\n", largest(values, DEFECT(bytes, bytes / sizeof *values)) >= 0);
    delete[] values;
}
