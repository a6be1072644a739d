/* Signal handlers that allocate, which C forbids and programs do: a signal comes
 * at any instruction of malloc and free, and may neither deadlock nor corrupt.
 * All sides keep blocks with patterns, and each has size classes of its own: between
 * the three instructions of a malloc that is served at once, a handler that takes
 * blocks of the same class can get the very block (README, Limits). All else is
 * shared: the slow paths, LARGE, the shared pool. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SLOTS = 60 };

struct work {
    struct {
        void *block;
        size_t size;
    } slots[SLOTS];
    uint64_t random;
    unsigned seed;
    /* 0 is the program, the others are handlers by their depth. */
    unsigned side;
};

enum { SIDES = 5 };

/* A size of the side's own classes: (32, 64] and (1024, 2048] for side 0, the next
 * doublings for side 1, and so on; or a LARGE one. */
static size_t size_of_side(uint64_t *random, unsigned side) {
    size_t size = random_size(random);
    if (size > 32 * KIB) return size;
    size_t from = (size_t)1 << ((size > 2 * KIB ? 10 : 5) + side % SIDES);
    return from + 1 + next_random(random) % from;
}

/* One call of the allocator on one of the slots; each kind of call in turn. */
static void step(struct work *work) {
    size_t i = next_random(&work->random) % SLOTS, size = size_of_side(&work->random, work->side);
    void *block = work->slots[i].block;
    if (block != NULL) {
        size_t some = work->slots[i].size < 600 ? work->slots[i].size : 600;
        FILLED(block, some, work->seed);
    }
    switch (next_random(&work->random) % 8) {
    case 0: block = realloc(block, size); break;
    case 1: free(block), block = calloc(1, size); break;
    case 2:
        size = (size_t)1024 << (work->side % SIDES + 1);
        free(block), block = aligned_alloc(256, size);
        break;
    case 3: free(block), block = NULL; break;
    default: free(block), block = malloc(size);
    }
    work->slots[i].block = block;
    work->slots[i].size = size;
    if (block != NULL) fill(block, size < 600 ? size : 600, work->seed);
}

static void end(struct work *work) {
    for (int i = 0; i < SLOTS; i++) {
        free(work->slots[i].block);
        work->slots[i].block = NULL;
    }
}

/* So long after the end of a handler the next one comes: the program has to get
 * on between them, however long they take. */
static atomic_int pause_between;

static void arm(int timer, int microseconds) {
    struct itimerval once = {{0, 0}, {0, microseconds}};
    EQ(setitimer(timer, &once, NULL), 0);
}

static void arm_again(int number) {
    int microseconds = atomic_load(&pause_between);
    if (number == SIGALRM) arm(ITIMER_REAL, microseconds);
    if (number == SIGVTALRM) arm(ITIMER_VIRTUAL, microseconds);
    if (number == SIGPROF) arm(ITIMER_PROF, microseconds);
}

/* Timer signals after each pause; 0 ends them. */
static void every(int microseconds) {
    atomic_store(&pause_between, microseconds);
    arm(ITIMER_REAL, microseconds);
    if (microseconds == 0) arm(ITIMER_VIRTUAL, 0), arm(ITIMER_PROF, 0);
}

/* A handler that interrupts another one has blocks of its own. */
enum { DEPTH = 4 };
static __thread struct work in_handler[DEPTH];
static __thread volatile sig_atomic_t depth;
static atomic_int signals;

static void handle(int number) {
    int saved = errno;
    CHECK(depth < DEPTH, "more signals inside of signals than there are kinds");
    struct work *work = &in_handler[depth++];
    if (work->random == 0) work->random = (uintptr_t)work, work->seed = 2;
    work->side = (unsigned)depth;
    for (int i = 0; i < 20; i++) step(work);
    depth--;
    atomic_fetch_add(&signals, 1);
    arm_again(number);
    errno = saved;
}

/* Gives the handlers' blocks back, uninterrupted. */
static void end_handlers(void) {
    sigset_t all, before;
    sigfillset(&all);
    EQ(pthread_sigmask(SIG_BLOCK, &all, &before), 0);
    for (int i = 0; i < DEPTH; i++) end(&in_handler[i]);
    EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void handle_signal_by(void (*handler)(int), int number, int flags) {
    struct sigaction action = {0};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART | flags;
    EQ(sigaction(number, &action, NULL), 0);
}

static void handle_signal(int number, int flags) { handle_signal_by(handle, number, flags); }

/* The gentler kind: it gives everything back that it took. */
static void handle_balanced(int number) {
    int saved = errno;
    static __thread uint64_t random = 77;
    void *blocks[10];
    size_t sizes[10];
    for (int i = 0; i < 10; i++) {
        sizes[i] = size_of_side(&random, 1);
        blocks[i] = malloc(sizes[i]);
        if (sizes[i] > 600) sizes[i] = 600;
        fill(blocks[i], sizes[i], 3);
    }
    for (int i = 0; i < 10; i++) {
        FILLED(blocks[i], sizes[i], 3);
        free(blocks[i]);
    }
    atomic_fetch_add(&signals, 1);
    arm_again(number);
    errno = saved;
}

static void work_until(int count) {
    static __thread struct work mine;
    mine.random = (uintptr_t)&mine;
    mine.seed = 1;
    while (atomic_load(&signals) < count) {
        for (int i = 0; i < 100; i++) step(&mine);
        size_t now = resident();
        CHECK(now < 512 * MIB, "blocks of a few MiB in all: saw %zu resident after %d signals", now,
              atomic_load(&signals));
    }
    end(&mine);
}

static void a_timer_beside_malloc(void) {
    handle_signal(SIGALRM, 0);
    every(150);
    work_until(2000);
    every(0);
    end_handlers();
}

static void a_timer_whose_handler_gives_all_back(void) {
    handle_signal_by(handle_balanced, SIGALRM, 0);
    every(150);
    work_until(2000);
    every(0);
}

/* The handler's stack is a block of the allocator itself. */
static void a_timer_on_an_alternate_stack(void) {
    stack_t stack = {.ss_sp = malloc(256 * KIB), .ss_size = 256 * KIB, .ss_flags = 0};
    EQ(sigaltstack(&stack, NULL), 0);
    handle_signal(SIGALRM, SA_ONSTACK);
    every(150);
    work_until(1000);
    every(0);
    end_handlers();
}

/* The handler may itself be interrupted, by another signal. */
static void signals_inside_of_signals(void) {
    handle_signal(SIGALRM, 0);
    handle_signal(SIGVTALRM, 0);
    handle_signal(SIGPROF, 0);
    every(170);
    arm(ITIMER_VIRTUAL, 110);
    arm(ITIMER_PROF, 110);
    work_until(1000);
    every(0);
    end_handlers();
}

static void *work_in_thread(void *count) {
    work_until((int)(uintptr_t)count);
    end_handlers();
    return NULL;
}

static void every_thread_is_interrupted(void) {
    enum { THREADS = 4 };
    const int count = 4000;
    pthread_t threads[THREADS];
    handle_signal(SIGUSR1, 0);
    for (int i = 0; i < THREADS; i++)
        EQ(pthread_create(&threads[i], NULL, work_in_thread, (void *)(uintptr_t)count), 0);
    while (atomic_load(&signals) < count) {
        for (int i = 0; i < THREADS; i++) pthread_kill(threads[i], SIGUSR1);
        usleep(500);
    }
    for (int i = 0; i < THREADS; i++) EQ(pthread_join(threads[i], NULL), 0);
}

/* The first allocation of a thread's life, and its last ones, are interrupted. */
static void *short_life(void *pointer) {
    free(pointer);
    void *block = malloc(3000);
    for (int i = 0; i < 20; i++) block = realloc(block, (size_t)(i + 1) * 1000);
    end_handlers();
    return block;
}

static void threads_start_and_end_beside_a_timer(void) {
    handle_signal(SIGALRM, 0);
    every(150);
    void *block = NULL;
    while (atomic_load(&signals) < 1000) {
        pthread_t thread;
        EQ(pthread_create(&thread, NULL, short_life, block), 0);
        EQ(pthread_join(thread, &block), 0);
    }
    every(0);
    free(block);
    end_handlers();
}

/* The kernel starts a fork again that a signal interrupted: the timer has to
 * leave it the time. */
static void forks_beside_a_timer(void) {
    handle_signal(SIGALRM, 0);
    for (int i = 0; i < 50; i++) {
        every(3000);
        pid_t child = fork();
        if (child == 0) {
            atomic_store(&signals, 0);
            every(200);
            work_until(20);
            _exit(0);
        }
        int status = 0;
        CHECK(child > 0, "fork failed: errno %d", errno);
        while (waitpid(child, &status, 0) < 0) EQ(errno, EINTR);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "expected the child to exit with 0, saw status 0x%x", status);
    }
    every(0);
    end_handlers();
}

CASES(CASE(a_timer_beside_malloc), CASE(a_timer_whose_handler_gives_all_back),
      CASE(a_timer_on_an_alternate_stack),
      CASE(signals_inside_of_signals), CASE(every_thread_is_interrupted),
      CASE(threads_start_and_end_beside_a_timer), CASE(forks_beside_a_timer))
