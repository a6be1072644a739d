/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Reads by the pointer that get() had returned before the owner was reset. */
#include "../corpus.h"
#include <memory>

int main() {
    std::unique_ptr<double[]> samples(new double[300]());
    const double *raw = samples.get();
    double before = raw[10];
    if (DEFECT(true, false)) samples.reset();
    seen(raw);
    printf("%d\n", before + static_cast<const volatile double *>(hidden(raw))[11] != 2.0);
}
