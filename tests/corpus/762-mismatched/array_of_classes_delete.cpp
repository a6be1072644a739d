/* CWE: 762
 * Kinds: mismatched-free, invalid-free
 * Found: default
 *
 * An array of objects with virtual destructors is deleted as one object. */
#include "../corpus.h"
struct Animal {
    virtual ~Animal() { seen(this); }
    virtual int legs() const { return 4; }
};

int main() {
    Animal *animals = new Animal[number(3)];
    printf("%d\n", animals[2].legs());
#ifdef FIXED
    delete[] animals;
#else
    delete static_cast<Animal *>(hidden(animals));
#endif
}
