/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the context of a callback where it should be the callback's own function that does. */
#include "../corpus.h"
struct callback {
    void (*run)(void *context);
    void *context;
};

static void run(void *context) { printf("%d\n", *(int *)context); }

int main(void) {
    struct callback *callback = malloc(sizeof *callback);
    callback->run = run;
    callback->context = malloc(sizeof(int));
    *(int *)callback->context = 5;
    callback->run(hidden(callback->context));
    free(callback->context);
    if (DEFECT(1, 0)) free(hidden((void *)callback->run));
    free(callback);
}
