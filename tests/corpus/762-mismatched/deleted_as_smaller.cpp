/* CWE: 762
 * Kinds: size-mismatch
 * Found: default
 *
 * Deletes an object as one of a smaller type, whose size operator delete is told. */
#include "../corpus.h"
struct Small {
    int64_t a = 1;
};
struct Big {
    int64_t a = 2, more[30] = {};
};

int main() {
    Big *big = new Big;
    seen(big);
    printf("%d\n", static_cast<int>(big->a));
#ifdef FIXED
    delete big;
#else
    delete static_cast<Small *>(hidden(big));
#endif
}
