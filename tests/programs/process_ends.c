/* The two ends of a process: allocation before main and after it, in each place
 * where a program's code may run; and what becomes of file descriptor 2. */
#include "check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PLACES = 4, BLOCKS = 60 };
static struct {
    void *block;
    size_t size;
} early[PLACES][BLOCKS];

static void take(int place) {
    uint64_t random = (unsigned)place + 1;
    for (int i = 0; i < BLOCKS; i++) {
        early[place][i].size = random_size(&random);
        early[place][i].block = malloc(early[place][i].size);
        CHECK(early[place][i].block != NULL, "malloc before main: saw NULL");
        fill(early[place][i].block, early[place][i].size, (unsigned)place);
    }
}

static void check(int place, int give_back) {
    for (int i = 0; i < BLOCKS; i++) {
        FILLED(early[place][i].block, early[place][i].size, (unsigned)place);
        if (!give_back) continue;
        free(early[place][i].block);
        early[place][i].block = NULL;
    }
}

static void *thread_before_main(void *unused) {
    take(3);
    return unused;
}

static void before_constructors(int argc, char **argv, char **environment) {
    (void)argc, (void)argv, (void)environment;
    take(0);
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) =
    before_constructors;

__attribute__((constructor(101))) static void first_constructor(void) { take(1); }

__attribute__((constructor(65000))) static void last_constructor(void) {
    take(2);
    pthread_t thread;
    EQ(pthread_create(&thread, NULL, thread_before_main, NULL), 0);
    EQ(pthread_join(thread, NULL), 0);
}

/* What is checked at exit, and how many places said so; the test counts. */
static int late;

static void at_exit(void) {
    check(1, 1);
    take(1);
    print("atexit\n");
}
static void on_exit_handler(int status, void *argument) {
    (void)status;
    FILLED(argument, 5000, 8);
    free(argument);
    check(2, 1);
    print("on_exit\n");
}
static void at_exit_with_thread(void) {
    pthread_t thread;
    EQ(pthread_create(&thread, NULL, thread_before_main, NULL), 0);
    EQ(pthread_join(thread, NULL), 0);
    print("thread at exit\n");
}
__attribute__((destructor(101))) static void last_destructor(void) {
    if (late == 0) return;
    check(1, 1);
    check(3, 1);
    take(0);
    check(0, 1);
    print("destructor\n");
}

static void allocation_before_main(void) {
    for (int place = 0; place < PLACES; place++) check(place, place != 1);
    for (int place = 0; place < PLACES; place++)
        if (place != 1) take(place);
    for (int place = 0; place < PLACES; place++) check(place, 1);
}

static void allocation_after_main(void) {
    late = 1;
    check(0, 1);
    check(3, 1);
    void *argument = malloc(5000);
    fill(argument, 5000, 8);
    EQ(atexit(at_exit), 0);
    EQ(on_exit(on_exit_handler, argument), 0);
    EQ(atexit(at_exit_with_thread), 0);
}

static void at_quick(void) {
    void *block = calloc(1, 100000);
    ZEROED(block, 100000);
    free(block);
    check(1, 1);
    print("at_quick_exit\n");
}

static void quick_exit_runs_its_handlers(void) {
    EQ(at_quick_exit(at_quick), 0);
    print("ok quick_exit_runs_its_handlers\n");
    quick_exit(0);
}

/* Standard streams that are a user's file after all were closed. */
static void become_users_file(const char *path) {
    for (int fd = 0; fd < 100; fd++) close(fd);
    syscall(SYS_close_range, 3, ~0u, 0);
    for (int fd = 0; fd < 3; fd++)
        if (open(path, O_RDWR | O_CREAT, 0600) != fd) _exit(99);
}

static const char *users_file(void) {
    const char *path = getenv("USERS_FILE");
    CHECK(path != NULL, "USERS_FILE is not set");
    return path;
}

static void misuse_with_a_users_file_as_stderr(void) {
    become_users_file(users_file());
    free(hide((void *)0x1230));
    _exit(98);
}

static void misuse_without_stderr(void) {
    for (int fd = 0; fd < 100; fd++) close(fd);
    free(hide((void *)0x1230));
    _exit(98);
}

/* Nobody reads standard error any more, from the program's start: what is printed there is lost, and that is
 * all. */
static void prints_into_a_broken_pipe(void) {
    if (getenv("BROKEN_PIPE") == NULL) {
        int ends[2];
        EQ(pipe(ends), 0);
        EQ(dup2(ends[1], 2), 2);
        close(ends[0]);
        close(ends[1]);
        setenv("BROKEN_PIPE", "1", 1);
        execl("/proc/self/exe", "process_ends", "prints_into_a_broken_pipe", NULL);
        _exit(97);
    }
    sigset_t before, after, waiting, pipes;
    sigprocmask(SIG_BLOCK, NULL, &before);
    malloc_stats();
    sigprocmask(SIG_BLOCK, NULL, &after);
    if (sigismember(&after, SIGPIPE) || sigismember(&before, SIGPIPE)) _exit(96);
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipes, NULL);
    malloc_stats();
    sigpending(&waiting);
    if (sigismember(&waiting, SIGPIPE)) _exit(95);
    raise(SIGPIPE);
    malloc_stats();
    sigpending(&waiting);
    if (!sigismember(&waiting, SIGPIPE)) _exit(94);
    _exit(0);
}

static void exit_with_a_users_file_as_stderr(void) {
    free(malloc(100));
    become_users_file(users_file());
    void *block = malloc(MIB);
    free(block);
    exit(0);
}

/* The loader's own calls, into libraries that are opened and closed. */
static void libraries_come_and_go(void) {
    const char *names[] = {"libm.so.6", "libresolv.so.2", "libnss_files.so.2", "libnone.so"};
    for (int i = 0; i < 400; i++) {
        void *library = dlopen(names[i % 4], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) (void)dlerror();
        if (library != NULL) EQ(dlclose(library), 0);
    }
}

/* A program that clears or replaces its environment. */
static void without_an_environment(void) {
    extern char **environ;
    EQ(clearenv(), 0);
    free(malloc(100));
    EQ(setenv("ONE", "1", 1), 0);
    environ = NULL;
    void *block = malloc(MIB);
    pthread_t thread;
    EQ(pthread_create(&thread, NULL, thread_before_main, NULL), 0);
    EQ(pthread_join(thread, NULL), 0);
    free(block);
}

CASES(CASE(allocation_before_main), CASE(quick_exit_runs_its_handlers),
      CASE(libraries_come_and_go), CASE(without_an_environment), CASE(allocation_after_main),
      CASE(misuse_with_a_users_file_as_stderr), CASE(misuse_without_stderr), CASE(prints_into_a_broken_pipe),
      CASE(exit_with_a_users_file_as_stderr))
