/* Stacks of all kinds, at whose inner end a function is called. Compiled with frame pointers and
 * without, into a library that the tests of the walks load. */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone, noipa, visibility("default")))

typedef void (*inner)(void *);

/* Nothing is left to do after a tail call. */
#define AFTER(call)                                                                              \
    do {                                                                                         \
        call;                                                                                    \
        __asm__ volatile("" ::: "memory");                                                       \
    } while (0)

KEPT void nested(int depth, inner function, void *argument) {
    if (depth == 0)
        AFTER(function(argument));
    else
        AFTER(nested(depth - 1, function, argument));
}

/* All saved registers in use. */
KEPT long busy(int depth, inner function, void *argument) {
    long a = depth, b = a * 3, c = b ^ 5, d = c + 7, e = d * 11, f = e ^ 13;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    if (depth == 0)
        function(argument);
    else
        a += busy(depth - 1, function, argument);
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    return a + b + c + d + e + f;
}

/* A frame whose size is not known. */
KEPT void variable(int bytes, inner function, void *argument) {
    char *room = alloca(bytes + 1);
    __asm__ volatile("" : : "r"(room) : "memory");
    AFTER(nested(2, function, argument));
}

/* A frame with an alignment of its own. */
KEPT void realigned(int depth, inner function, void *argument) {
    char room[256] __attribute__((aligned(64)));
    __asm__ volatile("" : : "r"(room) : "memory");
    AFTER(nested(depth, function, argument));
}

static int compare_calls(const void *a, const void *b, void *calls) {
    (void)a, (void)b;
    void **call = calls;
    ((inner)call[0])(call[1]);
    return 0;
}

/* libc in between, which has no frame pointers. */
KEPT void through_libc(int depth, inner function, void *argument) {
    int items[2] = {depth, 1};
    void *call[2] = {(void *)function, argument};
    AFTER(qsort_r(items, 2, sizeof *items, compare_calls, call));
}

static __thread void *signal_call[2];

KEPT void handler(int number) {
    (void)number;
    AFTER(nested(1, (inner)signal_call[0], signal_call[1]));
}

KEPT void interrupted(int flags, inner function, void *argument) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, before;
    signal_call[0] = (void *)function;
    signal_call[1] = argument;
    sigaction(SIGUSR1, &action, &before);
    AFTER(raise(SIGUSR1));
    sigaction(SIGUSR1, &before, NULL);
}

KEPT void by_a_signal(int depth, inner function, void *argument) {
    (void)depth;
    AFTER(interrupted(0, function, argument));
}

KEPT void on_a_signal_stack(int depth, inner function, void *argument) {
    (void)depth;
    size_t bytes = 256 << 10;
    char *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = room, .ss_size = bytes}, before;
    sigaltstack(&stack, &before);
    AFTER(interrupted(SA_ONSTACK, function, argument));
    sigaltstack(&before, NULL);
    munmap(room, bytes);
}

static __thread struct {
    ucontext_t out, in;
    void *call[2];
} switched;

static void coroutine(void) {
    AFTER(nested(3, (inner)switched.call[0], switched.call[1]));
}

/* A stack of one's own, with memory that cannot be read on both sides. */
KEPT void on_an_own_stack(int depth, inner function, void *argument) {
    (void)depth;
    size_t page = 4096, bytes = 64 * page;
    char *room = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(room + page, bytes, PROT_READ | PROT_WRITE);
    switched.call[0] = (void *)function;
    switched.call[1] = argument;
    getcontext(&switched.in);
    switched.in.uc_stack.ss_sp = room + page;
    switched.in.uc_stack.ss_size = bytes;
    switched.in.uc_link = &switched.out;
    makecontext(&switched.in, coroutine, 0);
    AFTER(swapcontext(&switched.out, &switched.in));
    munmap(room, bytes + 2 * page);
}

/* A frame pointer that is none. */
__asm__(".globl garbage_in_rbp\n"
        ".type garbage_in_rbp, @function\n"
        "garbage_in_rbp:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_adjust_cfa_offset 8\n"
        ".cfi_rel_offset rbp, 0\n"
        "mov %rdi, %rbp\n"
        "mov %rdx, %rdi\n"
        "call *%rsi\n"
        "pop %rbp\n"
        ".cfi_adjust_cfa_offset -8\n"
        ".cfi_restore rbp\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size garbage_in_rbp, . - garbage_in_rbp\n"
        /* `operator new` as the library has it: three words, and a call. */
        ".globl operator_new\n"
        ".type operator_new, @function\n"
        "operator_new:\n"
        ".cfi_startproc\n"
        "push %rdi\n"
        ".cfi_adjust_cfa_offset 8\n"
        "push %rsi\n"
        ".cfi_adjust_cfa_offset 8\n"
        "sub $8, %rsp\n"
        ".cfi_adjust_cfa_offset 8\n"
        "mov %rdi, %rax\n"
        "mov %rsi, %rdi\n"
        "call *%rax\n"
        "add $24, %rsp\n"
        ".cfi_adjust_cfa_offset -24\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size operator_new, . - operator_new\n");
extern void garbage_in_rbp(uintptr_t garbage, inner function, void *argument);
extern void operator_new(inner function, void *argument);

KEPT void with_garbage(uintptr_t garbage, inner function, void *argument) {
    AFTER(garbage_in_rbp(garbage, function, argument));
}

struct call {
    inner function;
    void *argument;
};

static void call_new(void *call) {
    struct call *c = call;
    AFTER(operator_new(c->function, c->argument));
}

KEPT void by_new(int depth, inner function, void *argument) {
    struct call call = {function, argument};
    AFTER(nested(depth, call_new, &call));
}

struct start {
    int depth;
    inner function;
    void *argument;
};

static void *thread(void *start) {
    struct start *s = start;
    AFTER(nested(s->depth, s->function, s->argument));
    return NULL;
}

KEPT void in_a_thread(int depth, inner function, void *argument) {
    struct start start = {depth, function, argument};
    pthread_t id;
    if (pthread_create(&id, NULL, thread, &start) == 0)
        pthread_join(id, NULL);
}

/* On memory of one's own, as some give it to their threads. */
KEPT void in_a_thread_on_given_memory(int depth, inner function, void *argument) {
    struct start start = {depth, function, argument};
    size_t bytes = 256 << 10;
    char *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t id;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, room, bytes);
    if (pthread_create(&id, &attributes, thread, &start) == 0)
        pthread_join(id, NULL);
    pthread_attr_destroy(&attributes);
    munmap(room, bytes);
}

static volatile int go_on;

/* Works until it is told to end, in functions small and large, for signals to come in anywhere. */
KEPT int work(int depth) {
    int sum = depth;
    for (int i = 0; i < 3; i++)
        sum += depth > 0 ? work(depth - 1) : i * sum;
    __asm__ volatile("" : "+r"(sum));
    return sum;
}

KEPT void work_on(int depth) {
    go_on = 1;
    while (go_on)
        AFTER(work(depth));
}

KEPT void work_ends(void) {
    go_on = 0;
}
