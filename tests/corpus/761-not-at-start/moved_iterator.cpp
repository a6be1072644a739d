/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Deletes an array by the pointer that std::find has moved to an element. */
#include "../corpus.h"
#include <algorithm>

int main() {
    int *values = new int[30];
    for (int i = 0; i < 30; i++) values[i] = i * i;
    int *found = std::find(values, values + 30, static_cast<int>(number(100)));
    printf("%d\n", *found);
    delete[] DEFECT(found, values);
}
