/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * A shared pointer owns an object of static storage and deletes it in the end. */
#include "../corpus.h"
#include <memory>

struct Settings {
    int64_t values[12] = {1};
};

static Settings defaults;

NOINLINE static std::shared_ptr<Settings> load(bool found) {
    if (found) return std::make_shared<Settings>();
    Settings *settings = static_cast<Settings *>(hidden(&defaults));
    return std::shared_ptr<Settings>(DEFECT(settings, new Settings(*settings)));
}

int main() {
    auto settings = load(number(0) == 1);
    printf("%d\n", static_cast<int>(settings->values[0]));
}
