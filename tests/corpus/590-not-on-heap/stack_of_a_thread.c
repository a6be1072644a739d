/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * A thread hands a structure of its stack to another, which frees it. */
#include "../corpus.h"
struct request {
    int64_t number;
    char text[200];
};

static void serve(void *request) {
    printf("%d\n", (int)((struct request *)request)->number);
    free(request);
}

static void ask(void *unused) {
    (void)unused;
    struct request local = {3, "a request"}, *request = &local;
#ifdef FIXED
    request = malloc(sizeof *request);
    *request = local;
#endif
    in_thread(serve, hidden(request));
}

int main(void) { in_thread(ask, NULL); }
