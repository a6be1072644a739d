/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Takes a callback out of a structure that its previous callback has freed. */
#include "../corpus.h"
struct timer {
    int (*fire)(struct timer *timer);
    int left;
};

static int last_time(struct timer *timer) {
    seen(timer);
    if (DEFECT(1, 0)) free(timer);
    return 1;
}

int main(void) {
    struct timer *timer = malloc(sizeof *timer);
    timer->fire = last_time;
    timer->left = 1;
    int fired = timer->fire(hidden(timer));
    fired += ((struct timer *)hidden(timer))->fire == last_time;
    printf("%d\n", fired > 0);
    if (DEFECT(0, 1)) free(timer);
}
