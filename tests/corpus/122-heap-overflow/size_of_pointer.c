/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Allocates the size of the pointer instead of what it points to. */
#include "../corpus.h"
struct account {
    char owner[24];
    double balance;
    int64_t number;
};

static void open_account(struct account *account) {
    account->number = 4711;
    account->balance = 12.5;
    strcpy(account->owner, "nobody");
}

int main(void) {
    struct account *account = malloc(DEFECT(sizeof account, sizeof *account));
    open_account(hidden(account));
    printf("%s\n", (char *)hidden("opened"));
    free(account);
}
