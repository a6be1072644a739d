/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * A stack is popped while it is empty, and then pushed to. */
#include "../corpus.h"
struct stack {
    void **top, **bottom;
};

NOINLINE static void pop(struct stack *stack) {
    if (DEFECT(1, stack->top > stack->bottom)) stack->top--;
}

NOINLINE static void push(struct stack *stack, void *value) { *stack->top++ = value; }

int main(void) {
    struct stack stack;
    stack.top = stack.bottom = calloc(10, sizeof(void *));
    push(&stack, &stack);
    pop(&stack);
    pop(&stack);
    push(&stack, stack.bottom);
    seen(stack.bottom);
    printf("popped\n");
    free(stack.bottom);
}
