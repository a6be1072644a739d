/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * A lambda writes to an object by a reference that outlives it. */
#include "../corpus.h"
#include <functional>
#include <memory>

struct Progress {
    int64_t percent = 0, total = 0;
};

NOINLINE static std::function<void(int)> start(std::shared_ptr<Progress> progress) {
#ifdef FIXED
    return [progress](int percent) { progress->percent = percent; };
#else
    return [raw = progress.get()](int percent) { raw->percent = percent; };
#endif
}

int main() {
    auto report = start(std::shared_ptr<Progress>(new Progress));
    report(static_cast<int>(number(50)));
    seen(&report);
    printf("reported\n");
}
