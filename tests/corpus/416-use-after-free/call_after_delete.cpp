/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Calls a virtual function of an object that deleted itself. */
#include "../corpus.h"
struct Task {
    virtual ~Task() = default;
    virtual int step() {
        seen(this);
        if (DEFECT(true, false)) delete this;
        return 1;
    }
    int64_t state[4] = {};
};

NOINLINE static int64_t state_of(Task *task) { return task->state[3]; }

int main() {
    Task *task = static_cast<Task *>(hidden(new Task));
    int steps = task->step();
    int64_t state = state_of(static_cast<Task *>(hidden(task)));
    printf("%d\n", steps + (state == 12345));
    if (DEFECT(false, true)) delete task;
}
