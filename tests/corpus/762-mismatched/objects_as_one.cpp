/* CWE: 762
 * Kinds: mismatched-free, invalid-free
 * Found: default
 *
 * An array of objects with destructors has its count in front of them; it is freed by free. */
#include "../corpus.h"
struct Handle {
    int64_t number = 3;
    ~Handle() { seen(this); }
};

int main() {
    Handle *handles = new Handle[number(5)];
    printf("%d\n", static_cast<int>(handles[4].number));
#ifdef FIXED
    delete[] handles;
#else
    for (int i = 5; i-- > 0;) handles[i].~Handle();
    free(hidden(handles));
#endif
}
