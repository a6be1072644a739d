/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Calls release() of a unique pointer where reset() was meant. */
#include "../corpus.h"
#include <memory>
#include <string>

static std::unique_ptr<std::string> current;

NOINLINE static void replace(int n) {
#ifdef FIXED
    current.reset();
#else
    current.release();
#endif
    current = std::make_unique<std::string>(static_cast<size_t>(n) + 50, 'c');
}

int main() {
    for (int n = 0; n < 9; n++) replace(n);
    scrub();
    printf("%zu\n", current->size());
}
