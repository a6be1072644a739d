/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Objects were allocated as one array, and are freed one by one. */
#include "../corpus.h"
struct object {
    double place[4];
};

int main(void) {
    size_t count = number(3);
    struct object *array = calloc(count, sizeof *array), *objects[3];
    for (size_t i = 0; i < count; i++) objects[i] = &array[i];
    printf("%.0f\n", objects[2]->place[1]);
    for (size_t i = count; i-- > DEFECT(0, 2);) free(objects[DEFECT(i, 0)]);
}
