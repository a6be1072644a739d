/* A handler on a stack of the heap allocates and frees, while nothing of the heap is
 * interrupted. */
#include "../corpus.h"
#include <signal.h>

static volatile int handled;

static void handle(int signal) {
    char *text = malloc((size_t)signal * 20);
    memset(text, signal, (size_t)signal * 20);
    seen(text);
    free(text);
    handled++;
}

int main(void) {
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    for (int i = 0; i < 100; i++) raise(i % 2 ? SIGUSR1 : SIGUSR2);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    free(stack.ss_sp);
    printf("%d\n", handled);
}
