/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A second unique pointer is made of what get() of the first returns. */
#include "../corpus.h"
#include <memory>

struct Device {
    int64_t registers[6] = {};
};

int main() {
    auto first = std::make_unique<Device>();
    {
        std::unique_ptr<Device> second(DEFECT(first.get(), first.release()));
        second->registers[2] = 9;
        seen(second.get());
    }
    printf("%d\n", first.get() != hidden(&first));
}
