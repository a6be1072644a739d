/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * A vector of raw pointers is cleared, and the objects stay. */
#include "../corpus.h"
#include <vector>

static std::vector<std::vector<int> *> lists;

NOINLINE static void fill() {
    for (int i = 1; i <= 12; i++) lists.push_back(new std::vector<int>(static_cast<size_t>(i) * 10, i));
}

NOINLINE static void drop() {
    for (auto &list : lists) {
        if (DEFECT(false, true)) delete list;
        list = nullptr;
    }
    lists.clear();
}

int main() {
    fill();
    printf("%zu\n", lists.back()->size());
    drop();
    scrub();
}
