/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Fills an array of new[] up to and with the element behind the last. */
#include "../corpus.h"
int main() {
    size_t count = number(33);
    int *numbers = new int[count];
    for (size_t i = 0; DEFECT(i <= count, i < count); ++i) numbers[i] = static_cast<int>(i);
    seen(numbers);
    printf("%d\n", numbers[32]);
    delete[] numbers;
}
