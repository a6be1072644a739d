/* Programs that handle SIGSEGV themselves: a case each, by its name. Each does all that it says with
 * the library in front of its handler, or without a library at all. */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOUND(condition) CHECK(condition, "%s", #condition)

static sigjmp_buf back;
static char small_stack[16 << 10];
static volatile int handled;
static volatile uintptr_t handler_stack;
static volatile int blocked_usr1, blocked_segv, code;

__attribute__((noinline)) static void write_at(volatile char *at) { *at = 1; /* THE WRITE */ }

static char *no_memory(void) {
    char *page = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SOUND(page != MAP_FAILED);
    return page;
}

/* A write behind a block, which ends at a page that cannot be touched; or, with ELSEWHERE=1, one
 * that has nothing to do with blocks. */
__attribute__((noinline)) static void overrun(void) {
    if (getenv("ELSEWHERE")) {
        write_at(no_memory());
        return;
    }
    char *block = malloc(100);
    SOUND(block);
    write_at(block + 112);
    free(block);
}

static void note(int signal, siginfo_t *info, void *context) {
    sigset_t now;
    int here = 0;
    (void)context;
    SOUND(signal == SIGSEGV || signal == SIGBUS);
    handled++;
    code = info->si_code;
    handler_stack = (uintptr_t)&here;
    SOUND(sigprocmask(SIG_SETMASK, 0, &now) == 0);
    blocked_usr1 = sigismember(&now, SIGUSR1);
    blocked_segv = sigismember(&now, SIGSEGV);
}

static void recover(int signal, siginfo_t *info, void *context) {
    note(signal, info, context);
    siglongjmp(back, 1);
}

static void plain(int signal) {
    SOUND(signal == SIGSEGV);
    handled++;
    siglongjmp(back, 1);
}

static void set(void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {0};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    SOUND(sigaction(SIGSEGV, &action, 0) == 0);
}

static int is_on_small_stack(void) {
    return handler_stack - (uintptr_t)small_stack < sizeof small_stack;
}

/* Twice, for the handler stays. */
static void recovers(void) {
    set(recover, 0);
    for (volatile int i = 0; i < 2; i++)
        if (!sigsetjmp(back, 1))
            overrun();
    SOUND(handled == 2 && blocked_segv && !blocked_usr1 && code > 0);
}

static void on_small_stack(void) {
    stack_t stack = {.ss_sp = small_stack, .ss_size = sizeof small_stack};
    free(hide(malloc(100)));
    SOUND(sigaltstack(&stack, 0) == 0);
    set(recover, SA_ONSTACK);
    for (volatile int i = 0; i < 2; i++)
        if (!sigsetjmp(back, 1))
            overrun();
    SOUND(handled == 2 && is_on_small_stack());
}

static void on_own_stack(void) {
    int here = 0;
    set(recover, 0);
    if (!sigsetjmp(back, 1))
        overrun();
    uintptr_t distance = (uintptr_t)&here - handler_stack;
    SOUND(handled == 1 && distance < 64 << 10);
}

/* The second signal finds the default action. */
static void once(void) {
    set(note, SA_RESETHAND);
    struct sigaction now;
    SOUND(sigaction(SIGSEGV, 0, &now) == 0);
    SOUND(now.sa_sigaction == note && now.sa_flags & SA_RESETHAND);
    overrun();
}

static void again(int signal, siginfo_t *info, void *context) {
    note(signal, info, context);
    if (handled == 1)
        overrun();
    siglongjmp(back, 1);
}

static void nested(void) {
    set(again, SA_NODEFER);
    if (!sigsetjmp(back, 1))
        overrun();
    SOUND(handled == 2 && !blocked_segv);
}

static void masks(void) {
    struct sigaction action = {0};
    action.sa_sigaction = recover;
    action.sa_flags = SA_SIGINFO;
    sigaddset(&action.sa_mask, SIGUSR1);
    SOUND(sigaction(SIGSEGV, &action, 0) == 0);
    if (!sigsetjmp(back, 1))
        overrun();
    SOUND(handled == 1 && blocked_usr1 && blocked_segv);
}

static void reads_back(void) {
    struct sigaction old, action = {0};
    SOUND(sigaction(SIGSEGV, 0, &old) == 0 && old.sa_handler == SIG_DFL);
    SOUND(sigaction(SIGBUS, 0, &old) == 0 && old.sa_handler == SIG_DFL);
    SOUND(signal(SIGSEGV, plain) == SIG_DFL);
    SOUND(sigaction(SIGSEGV, 0, &old) == 0 && old.sa_handler == plain);
    SOUND(old.sa_flags & SA_RESTART && sigismember(&old.sa_mask, SIGSEGV));
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaddset(&action.sa_mask, SIGUSR2);
    SOUND(sigaction(SIGSEGV, &action, &old) == 0 && old.sa_handler == plain);
    SOUND(sigaction(SIGSEGV, 0, &old) == 0 && old.sa_sigaction == note);
    SOUND((old.sa_flags & (SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART)) ==
          (SA_SIGINFO | SA_ONSTACK | SA_NODEFER));
    SOUND(sigismember(&old.sa_mask, SIGUSR2) && !sigismember(&old.sa_mask, SIGUSR1));
    SOUND(signal(SIGSEGV, SIG_IGN) == (void (*)(int))note);
    SOUND(signal(SIGSEGV, SIG_DFL) == SIG_IGN);
    SOUND(signal(SIGUSR1, plain) == SIG_DFL && signal(SIGUSR1, SIG_DFL) == plain);
    SOUND(sigaction(-1, 0, &old) == -1 && sigaction(SIGKILL, &action, 0) == -1);
}

/* What is ignored is so in what is executed. */
static void ignores(void) {
    signal(SIGSEGV, SIG_IGN);
    raise(SIGSEGV);
    execl("/bin/sh", "sh", "-c", "grep -q '^SigIgn:.*4..$' /proc/$$/status", (char *)0);
}

/* Looks whether memory is there, as garbage collectors and emulators do: no bug, and nothing is
 * told. */
static void probes(void) {
    char *page = no_memory();
    set(recover, 0);
    for (volatile int i = 0; i < 1000; i++)
        if (!sigsetjmp(back, 1))
            write_at(page + i);
    SOUND(handled == 1000);
}

static void sent(void) {
    set(note, 0);
    SOUND(raise(SIGSEGV) == 0 && handled == 1 && code <= 0);
}

static void *thread(void *argument) {
    (void)argument;
    if (!sigsetjmp(back, 1))
        overrun();
    return 0;
}

static void in_thread(void) {
    pthread_t other;
    set(recover, 0);
    SOUND(pthread_create(&other, 0, thread, 0) == 0);
    SOUND(pthread_join(other, 0) == 0 && handled == 1);
}

static void in_child(void) {
    int status;
    set(recover, 0);
    pid_t child = fork();
    if (child == 0) {
        if (!sigsetjmp(back, 1))
            overrun();
        _exit(handled);
    }
    SOUND(waitpid(child, &status, 0) == child);
    SOUND(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* Has a page made writable by its handler, and goes on. */
static char *closed;

static void open_it(int signal, siginfo_t *info, void *context) {
    note(signal, info, context);
    SOUND(info->si_addr == closed + 5);
    mprotect(closed, 4096, PROT_READ | PROT_WRITE);
}

static void mends(void) {
    closed = no_memory();
    set(open_it, SA_RESTART);
    write_at(closed + 5);
    SOUND(handled == 1 && closed[5] == 1);
}

/* Gives the signal up, and has it happen once more. */
static void give_up(int signal, siginfo_t *info, void *context) {
    struct sigaction action = {0};
    note(signal, info, context);
    SOUND(sigaction(SIGSEGV, &action, 0) == 0);
}

static void gives_up(void) {
    set(give_up, 0);
    overrun();
}

/* Handles an abort if nobody does, as a fuzzer that keeps its input. */
static void keep_input(int signal) {
    SOUND(signal == SIGABRT);
    static const char text[] = "the input is kept\n";
    if (write(1, text, sizeof text - 1) < 0)
        _exit(8);
    _exit(77);
}

static void handle_abort(void) {
    struct sigaction action = {0}, old;
    SOUND(sigaction(SIGABRT, 0, &old) == 0 && old.sa_handler == SIG_DFL);
    action.sa_handler = keep_input;
    SOUND(sigaction(SIGABRT, &action, &old) == 0 && old.sa_handler == SIG_DFL);
    SOUND(sigaction(SIGABRT, 0, &old) == 0 && old.sa_handler == keep_input);
}

static void damage(void) {
    volatile char *block = malloc(100);
    SOUND(block);
    block[100] = 1;
}

static void keeps_input(void) {
    handle_abort();
    volatile char *block = malloc(100);
    SOUND(block);
    block[100] = 1;
    free((void *)block);
}

/* Handles aborts for a time. */
static void handled_abort(void) {
    handle_abort();
    SOUND(signal(SIGABRT, SIG_DFL) == keep_input);
    SOUND(signal(SIGABRT, SIG_DFL) == SIG_DFL);
    damage();
    abort();
}

CASES(CASE(keeps_input), CASE(handled_abort), CASE(recovers), CASE(on_small_stack), CASE(on_own_stack), CASE(once), CASE(nested),
      CASE(masks), CASE(reads_back), CASE(ignores), CASE(probes), CASE(sent), CASE(in_thread),
      CASE(in_child), CASE(mends), CASE(gives_up))
