/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Frees an object of new. */
#include "../corpus.h"
struct Pair {
    int64_t first, second;
};

int main() {
    Pair *pair = new Pair{1, static_cast<int64_t>(number(2))};
    seen(pair);
    printf("%d\n", static_cast<int>(pair->second));
    if (DEFECT(true, false))
        free(pair);
    else
        delete pair;
}
