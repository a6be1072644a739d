/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Reads a number from a block that it has freed. */
#include "../corpus.h"
struct order {
    int item, amount;
};

int main(void) {
    struct order *order = malloc(sizeof *order);
    order->item = 4;
    order->amount = (int)number(12);
    seen(order);
    free(DEFECT(order, NULL));
    int amount = ((struct order *)hidden(order))->amount;
    printf("%d\n", amount != 17);
    free(DEFECT(NULL, order));
}
