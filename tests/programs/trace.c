/* What the tests of the flight recorder record. Each case prints what it did, a line each, as
 * `name value` in hexadecimal; the test compares that with the records. */
#include "check.h"
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define HAKMEM_WEAK
#include "../../capi/include/hakmem.h"

extern char **environ;

static void tell(const char *name, const volatile void *value) {
    print("%s %lx\n", name, (unsigned long)value);
}

static unsigned long thread_id(void) { return (unsigned long)syscall(SYS_gettid); }

/* A call whose return address has a name. */
void *malloc_from_a_known_place(size_t size);
extern const char behind_the_call[];
__asm__(".text\n"
        ".globl malloc_from_a_known_place\n"
        "malloc_from_a_known_place:\n"
        "    .cfi_startproc\n"
        "    push %rbp\n"
        "    .cfi_def_cfa_offset 16\n"
        "    .cfi_offset %rbp, -16\n"
        "    mov %rsp, %rbp\n"
        "    .cfi_def_cfa_register %rbp\n"
        "    call malloc@PLT\n"
        ".globl behind_the_call\n"
        "behind_the_call:\n"
        "    pop %rbp\n"
        "    .cfi_def_cfa %rsp, 8\n"
        "    ret\n"
        "    .cfi_endproc\n");

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void *through_a_frame(size_t size) {
    void *block = malloc_from_a_known_place(size);
    __asm__ volatile("" ::: "memory");
    return block;
}

static void *free_it(void *block) {
    tell("thread", (void *)thread_id());
    free(block);
    return NULL;
}

/* One of each kind of what a program does with blocks. */
static void blocks(void) {
    tell("main", (void *)thread_id());
    tell("site", behind_the_call);
    void *a = through_a_frame(100);
    tell("malloc", a);
    void *b = NULL;
    CHECK(posix_memalign(&b, 256, 300) == 0, "memory");
    tell("aligned", b);
    void *c = calloc(3, 40);
    tell("calloc", c);
    void *large = malloc(300000);
    tell("large", large);
    void *moved = realloc(a, 5000);
    tell("moved", moved);
    void *stayed = realloc(c, 119);
    tell("stayed", stayed);
    void *grown = realloc(large, 310000);
    tell("grown", grown);
    void *volatile refused = malloc((size_t)1 << 62);
    CHECK(refused == NULL, "no memory");
    free(b);
    free(moved);
    free(stayed);
    free(grown);
    void *remote = malloc(77);
    tell("remote", remote);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, free_it, remote) == 0, "a thread");
    pthread_join(thread, NULL);
    if (hakmem_mark) hakmem_mark("a text of the program's that is longer than one record holds", a, 42);
    /* Enough to fill fronts and spill them, and to open slabs and close them. */
    static void *many[4000];
    for (int i = 0; i < 4000; i++) many[i] = malloc(1000);
    for (int i = 0; i < 4000; i++) free(many[i]);
    if (hakmem_collect) hakmem_collect();
}

/* The same place, again and again. */
static void lives(void) {
    void *first = malloc(24);
    tell("block", first);
    free(first);
    for (int i = 0; i < 4; i++) {
        void *again = malloc(24);
        CHECK(again == first, "the same block");
        free(again);
    }
}

static void flood_for_ever(int thread) {
    void *live[64] = {0};
    for (unsigned long i = 0;; i++) {
        void **place = &live[i * 7 % 64];
        free(*place);
        *place = malloc(16 + i % 200);
        if (i == 10000) print("flooding %x\n", thread);
    }
}

static void *flood_in_thread(void *thread) {
    flood_for_ever((int)(long)thread);
    return NULL;
}

/* Until it is killed. */
static void flood(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, flood_in_thread, (void *)1) == 0, "a thread");
    flood_for_ever(0);
}

/* Until there is no memory. */
static void memory_hog(void) {
    for (;;) {
        char *block = malloc(100000);
        if (block == NULL) return;
        memset(block, 1, 100000);
    }
}

static volatile int *nowhere = (int *)16;

static void fault_here(void) {
    free(malloc(10));
    *nowhere = 1;
}

static void fault_by_abort(void) {
    free(malloc(10));
    abort();
}

static int deeper(int depth) {
    if (depth == 1 << 30) return 0;
    volatile char room[1000];
    room[0] = (char)depth;
    return deeper(depth + 1) + room[0];
}

static void stack_overflow(void) {
    free(malloc(10));
    print("%x\n", deeper(0));
}

static void *overflow_thread(void *argument) {
    stack_overflow();
    return argument;
}

static void stack_overflow_in_thread(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, overflow_thread, NULL) == 0, "a thread");
    pthread_join(thread, NULL);
}

static void break_point(void) {
    free(malloc(10));
    __asm__ volatile("int3");
    print("survived\n");
}

static void illegal(void) {
    free(malloc(10));
    __asm__ volatile("ud2");
}

static void killed_by_a_signal(void) {
    free(malloc(10));
    kill(getpid(), SIGSEGV);
    for (;;) pause();
}

/* A fault that the allocator finds. */
static void foreign_free(void) {
    static char here[64];
    free(malloc(10));
    tell("address", here + 16);
    void (*volatile give_back)(void *) = free;
    give_back(here + 16);
}

static void own_handler(int signal) {
    (void)signal;
    print("handled\n");
    _exit(7);
}

/* The program's own handler, installed after ours. */
static void handler_of_the_program(void) {
    free(malloc(10));
    signal(SIGSEGV, own_handler);
    *nowhere = 1;
}

/* A handler that records, in the middle of what may be a record. */
static volatile int handled;
static void handler_that_allocates(int signal) {
    (void)signal;
    free(malloc(48));
    handled++;
}

static void signals(void) {
    /* Until there is a session, what handlers do is counted as lost. */
    free(malloc(10));
    struct sigaction action = {.sa_handler = handler_that_allocates, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_interval = {0, 50}, .it_value = {0, 50}};
    setitimer(ITIMER_REAL, &often, NULL);
    unsigned long pairs = 0;
    while (handled < 300) {
        free(malloc(100));
        pairs++;
    }
    struct itimerval never = {0};
    setitimer(ITIMER_REAL, &never, NULL);
    tell("pairs", (void *)pairs);
    tell("handled", (void *)(long)handled);
}

static void *one_allocation(void *argument) {
    free(malloc(33));
    return argument;
}

/* One thread after the other. */
static void thousand_threads(void) {
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, one_allocation, NULL) == 0, "a thread");
        pthread_join(thread, NULL);
    }
}

static void wait_for(pid_t child) {
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0, "it went well, not %x", status);
}

static void forks(void) {
    void *before = malloc(111);
    tell("before", before);
    pid_t child = fork();
    if (child == 0) {
        free(before);
        void *mine = malloc(222);
        tell("child", mine);
        exit(0);
    }
    tell("pid", (void *)(long)child);
    wait_for(child);
    free(before);
}

/* fork without its handlers. */
static void raw_fork(void) {
    void *before = malloc(111);
    tell("before", before);
    pid_t child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        for (int i = 0; i < 10000; i++) free(malloc(222));
        _exit(0);
    }
    tell("pid", (void *)(long)child);
    wait_for(child);
    free(malloc(333));
}

/* Children that turn into another program at once. */
static void execs(void) {
    char *const no_environment[] = {NULL};
    free(malloc(10));
    pid_t child = fork();
    if (child == 0) {
        execle("/bin/true", "true", (char *)NULL, no_environment);
        _exit(1);
    }
    wait_for(child);
    char *const arguments[] = {"true", NULL};
    CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, no_environment) == 0, "spawned");
    wait_for(child);
    child = vfork();
    if (child == 0) {
        execle("/bin/true", "true", (char *)NULL, no_environment);
        _exit(1);
    }
    wait_for(child);
    free(malloc(20));
}

/* Sizes of many kinds, from two places. */
static void sizes(void) {
    tell("site", behind_the_call);
    for (size_t size = 1; size <= 1000; size++) free(malloc(size));
    for (size_t size = 1; size <= 100; size++) {
        void *block = malloc_from_a_known_place(size);
        block = realloc(block, size + 2000);
        free(block);
    }
}

static void many(void) {
    for (int i = 0; i < 200000; i++) free(malloc(64));
}

static pthread_barrier_t barrier;
static void *waiting_thread(void *argument) {
    free(malloc(33));
    pthread_barrier_wait(&barrier);
    free(malloc(34));
    return argument;
}

/* As many threads at a time. */
static void many_threads(void) {
    enum { THREADS = 40 };
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, waiting_thread, NULL) == 0, "a thread");
    }
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void directory_goes_away(void) {
    free(malloc(10));
    char command[1100];
    snprintf(command, sizeof command, "rm -r '%s'", getenv("HAKMEM_TRACE_DIR"));
    char *const arguments[] = {"sh", "-c", command, NULL};
    char *const no_environment[] = {NULL};
    pid_t child;
    CHECK(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, no_environment) == 0, "spawned");
    wait_for(child);
    many_threads();
}

static pthread_key_t key;
static void at_the_end(void *argument) {
    /* Round after round, until the cache is gone. */
    static __thread int round;
    free(malloc(555));
    if (++round < 4) pthread_setspecific(key, argument);
}
static void *with_a_destructor(void *argument) {
    pthread_setspecific(key, argument);
    free(malloc(10));
    return NULL;
}

/* Allocations in the last destructors of a thread. */
static void thread_end(void) {
    /* So that the allocator's key is the older one, whose destructor runs first. */
    free(malloc(10));
    pthread_key_create(&key, at_the_end);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, with_a_destructor, &key) == 0, "a thread");
    pthread_join(thread, NULL);
}

/* A second copy of the library, which the variable COPY names, in one process. */
static void two_copies(void) {
    free(malloc(10));
    void *copy = dlopen(getenv("COPY"), RTLD_NOW | RTLD_LOCAL);
    CHECK(copy != NULL, "the copy is loaded: %s", dlerror());
    void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(copy, "malloc");
    void (*give_back)(void *) = (void (*)(void *))dlsym(copy, "free");
    CHECK(allocate != NULL && allocate != malloc, "a malloc of its own");
    void *block = allocate(4321);
    tell("block", block);
    give_back(block);
}

CASES(CASE(blocks), CASE(lives), CASE(flood), CASE(memory_hog), CASE(fault_here),
      CASE(fault_by_abort), CASE(stack_overflow), CASE(stack_overflow_in_thread),
      CASE(break_point), CASE(illegal), CASE(killed_by_a_signal), CASE(foreign_free),
      CASE(handler_of_the_program), CASE(signals), CASE(thousand_threads), CASE(forks),
      CASE(raw_fork), CASE(execs), CASE(sizes), CASE(many), CASE(many_threads), CASE(directory_goes_away),
      CASE(thread_end), CASE(two_copies))
