/* Runs coroutines whose stacks are blocks of the heap. */
#include "../corpus.h"
#include <ucontext.h>

static ucontext_t main_context, contexts[3];
static int steps;

static void run(void) {
    for (int i = 0; i < 4; i++) {
        char *text = strdup("in a coroutine");
        steps += (int)strlen(text);
        free(text);
        swapcontext(&contexts[i % 3], &contexts[i % 3]);
    }
}

int main(void) {
    void *stacks[3];
    for (int i = 0; i < 3; i++) {
        getcontext(&contexts[i]);
        stacks[i] = contexts[i].uc_stack.ss_sp = malloc(64 << 10);
        contexts[i].uc_stack.ss_size = 64 << 10;
        contexts[i].uc_link = &main_context;
        makecontext(&contexts[i], run, 0);
        swapcontext(&main_context, &contexts[i]);
    }
    printf("%d\n", steps);
    for (int i = 0; i < 3; i++) free(stacks[i]);
}
