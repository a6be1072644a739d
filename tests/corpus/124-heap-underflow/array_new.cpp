/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Sorts an array of new[] by insertion, and the place for the smallest is one too far to the
 * front. */
#include "../corpus.h"
int main() {
    const int count = 12;
    int *sorted = new int[count];
    for (int n = 0; n < count; n++) {
        int value = static_cast<int>(number(static_cast<size_t>(100 - n))), place = n - 1;
        while (place >= 0 && sorted[place] > value) sorted[place + 1] = sorted[place], place--;
        sorted[place + DEFECT(n == count - 1 ? 0 : 1, 1)] = value;
    }
    seen(sorted);
    printf("%d\n", sorted[11]);
    delete[] sorted;
}
