/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Deletes an array of calloc, that a structure carries to a function. */
#include "../corpus.h"
struct Numbers {
    int64_t *values;
    size_t count;
};

NOINLINE static void drop(Numbers numbers) {
#ifdef FIXED
    free(numbers.values);
#else
    delete[] numbers.values;
#endif
}

int main() {
    Numbers numbers = {static_cast<int64_t *>(calloc(40, sizeof(int64_t))), number(40)};
    printf("%d\n", static_cast<int>(numbers.values[numbers.count - 1]));
    drop(numbers);
}
