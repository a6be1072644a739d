/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * A unique pointer with its usual deleter owns a text of asprintf. */
#include "../corpus.h"
#include <memory>

struct Free {
    void operator()(char *text) const { free(text); }
};

#ifdef FIXED
using Text = std::unique_ptr<char, Free>;
#else
using Text = std::unique_ptr<char>;
#endif

int main() {
    char *text = nullptr;
    if (asprintf(&text, "%zu bottles", number(99)) < 0) return 120;
    Text owner(text);
    printf("%s\n", owner.get());
}
