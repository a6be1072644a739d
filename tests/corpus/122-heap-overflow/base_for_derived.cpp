/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Makes an object of the base class, and writes a member of the derived one. */
#include "../corpus.h"
struct Shape {
    int corners = 4;
};
struct Named : Shape {
    char name[28];
};

NOINLINE static void call(Shape *shape, const char *name) {
    strcpy(static_cast<Named *>(shape)->name, name);
}

int main() {
    Shape *shape = DEFECT(new Shape, new Named);
    call(static_cast<Shape *>(hidden(shape)), "a square of some size");
    printf("%d\n", shape->corners);
    delete DEFECT(shape, static_cast<Named *>(shape));
}
