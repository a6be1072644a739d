/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * std::copy writes a longer container into an array of a shorter one's size. */
#include "../corpus.h"
#include <algorithm>
#include <list>
#include <memory>

struct Point {
    double x, y;
};

int main() {
    std::list<Point> path(number(12), Point{1, 2});
    size_t size = path.size();
    path.push_back({3, 4});
    std::unique_ptr<Point[]> flat(new Point[DEFECT(size, path.size())]);
    std::copy(path.begin(), path.end(), flat.get());
    seen(flat.get());
    printf("%.0f\n", flat[5].y);
}
