/* Global objects of a program use one another's blocks while they are constructed and
 * destroyed. */
#include "../corpus.h"
#include <string>
#include <vector>

struct Registry {
    std::vector<std::string> names;
    ~Registry() { printf("%zu\n", names.size()); }
};

static Registry &registry() {
    static Registry registry;
    return registry;
}

struct Member {
    explicit Member(std::string name) { registry().names.push_back(std::move(name)); }
    ~Member() { registry().names.emplace_back("one that has gone, with a name that is long"); }
};

static Member first("first"), second("second, with a name that is long as well");

int main() {
    static Member third("third");
    thread_local std::string text(200, 't');
    printf("%zu\n", text.size());
}
