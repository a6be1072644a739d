/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Reads the element that end() points to, of a vector that is full. */
#include "../corpus.h"
#include <algorithm>
#include <vector>

struct Quad {
    double parts[4] = {1, 2, 3, 4};
};

int main() {
    std::vector<Quad> quads(number(6));
    auto found = std::find_if(quads.begin(), quads.end(), [](const Quad &q) { return q.parts[0] > 5; });
    double part = DEFECT(true, found != quads.end()) ? found->parts[2] : 3;
    printf("%d\n", part != 17.5);
}
