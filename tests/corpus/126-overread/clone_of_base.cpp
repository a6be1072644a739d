/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Copies an object as one of a derived class that it does not have. */
#include "../corpus.h"
struct Plain {
    uint64_t a = 1, b = 2;
};
struct Rich : Plain {
    uint64_t more[10] = {};
};

NOINLINE static Rich *clone(const Plain *object) {
    return new Rich(*static_cast<const Rich *>(object));
}

int main() {
    Plain *object = DEFECT(new Plain, new Rich);
    Rich *copy = clone(static_cast<Plain *>(hidden(object)));
    printf("%d\n", static_cast<int>(copy->b));
    delete copy;
    delete DEFECT(object, static_cast<Rich *>(object));
}
