/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Deletes an object by a pointer to its second base, whose destructor is not virtual. */
#include "../corpus.h"
struct Readable {
    int64_t read = 1;
};
struct Writable {
    int64_t written = 2;
#ifdef FIXED
    virtual ~Writable() = default;
#endif
};
struct File : Readable, Writable {
    int64_t size = 3;
};

int main() {
    Writable *writable = new File;
    seen(writable);
    printf("%d\n", static_cast<int>(writable->written));
    delete static_cast<Writable *>(hidden(writable));
}
