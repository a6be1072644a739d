/* CWE: 415
 * Kinds: double-free, use-after-free
 * Found: default
 *
 * Deletes an array of objects twice: how many there are stands in front of them, in what was freed. */
#include "../corpus.h"
struct reading {
    double value;
    char *unit;
    reading() : value(1.5), unit(strdup("mm")) {}
    ~reading() { free(unit); }
};

int main() {
    reading *readings = static_cast<reading *>(hidden(new reading[5]));
    reading *copy = static_cast<reading *>(hidden(readings));
    printf("%.1f%s\n", readings[3].value, readings[3].unit);
    delete[] readings;
    if (DEFECT(true, false)) delete[] copy;
}
