/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Two shared pointers are made of one raw pointer, and count apart. */
#include "../corpus.h"
#include <memory>

int main() {
    int *raw = new int(7);
    std::shared_ptr<int> first(raw);
    {
        std::shared_ptr<int> second(DEFECT(std::shared_ptr<int>(static_cast<int *>(hidden(raw))), first));
        printf("%d\n", *second);
    }
    seen(first.get());
}
