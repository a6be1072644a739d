/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Deletes an object of the stack through a pointer to its base. */
#include "../corpus.h"
struct Base {
    virtual ~Base() { seen(this); }
    virtual const char *name() const { return "base"; }
};
struct Local : Base {
    const char *name() const override { return "local"; }
    int64_t more[8] = {};
};

int main() {
#ifdef FIXED
    Base *object = new Local;
#else
    Local local;
    Base *object = &local;
#endif
    printf("%s\n", static_cast<Base *>(hidden(object))->name());
    delete static_cast<Base *>(hidden(object));
#ifndef FIXED
    _Exit(0);
#endif
}
