/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * A shared pointer to an element owns an array of new[]. */
#include "../corpus.h"
#include <memory>

int main() {
    double *samples = new double[256]();
#ifdef FIXED
    std::shared_ptr<double> owner(samples, std::default_delete<double[]>());
#else
    std::shared_ptr<double> owner(samples);
#endif
    seen(owner.get());
    printf("%.0f\n", owner.get()[number(255)]);
}
