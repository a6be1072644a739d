/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Parent and child own each other by shared pointers. */
#include "../corpus.h"
#include <memory>

struct Child;
struct Parent {
    std::shared_ptr<Child> child;
    int64_t weight = 3;
};
struct Child {
#ifdef FIXED
    std::weak_ptr<Parent> parent;
#else
    std::shared_ptr<Parent> parent;
#endif
};

NOINLINE static int64_t family() {
    auto parent = std::make_shared<Parent>();
    parent->child = std::make_shared<Child>();
    parent->child->parent = parent;
    return parent->weight;
}

int main() {
    int64_t total = 0;
    for (int i = 0; i < 10; i++) total += family();
    scrub();
    printf("%d\n", static_cast<int>(total));
}
