/*
 * leaks.c: a case of memory that is lost, or is not, by name. What each has to give is in
 * tests/leaks.rs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../capi/include/hakmem-debug.h"

#define APART __attribute__((noinline, noclone, noipa))

struct node {
    struct node *volatile next;
    struct node *volatile other;
    char text[32];
};

static APART void *get(size_t bytes)
{
    char *block = malloc(bytes);
    if (bytes > 0) *(volatile char *)block = 1;
    return block;
}

static APART struct node *get_node(void)
{
    return calloc(1, sizeof(struct node));
}

static void *volatile kept;
static __thread void *volatile kept_by_thread;

/* ---- lost ---- */

APART void direct(void) { get(100); }

APART void three_of_one_place(void)
{
    for (volatile int i = 0; i < 3; i++) get(100);
}

APART void chain(void)
{
    struct node *first = get_node();
    first->next = get_node();
    first->next->next = get_node();
}

APART void tree(void)
{
    struct node *root = get_node();
    root->next = get_node();
    root->other = get_node();
    root->next->next = get_node();
    root->next->other = root->other;
}

APART void circle(void)
{
    struct node *first = get_node();
    first->next = get_node();
    first->next->next = get_node();
    first->next->next->next = first;
}

APART void circle_with_a_tail(void)
{
    struct node *first = get_node(), *tail = get_node();
    first->next = get_node();
    first->next->next = first;
    tail->next = first;
}

/* Not the block that is met first leads into it, nor the one with the lowest address. */
APART void circle_from_outside(void)
{
    struct node *first = get_node(), *second = get_node(), *third = get_node();
    first->next = second;
    second->next = third;
    third->next = first;
    get_node()->next = second;
}

APART void itself(void)
{
    struct node *node = get_node();
    node->next = node;
}

APART void tagged_high(void)
{
    kept = (void *)((uintptr_t)get(100) | (uintptr_t)0x1234 << 48);
}

APART void overwritten(void)
{
    kept = get(100);
    kept = get(200);
}

APART void no_bytes(void) { get(0); }

APART void large(void) { get(3 << 20); }

APART void middle(void) { get(40000); }

APART void aligned(void)
{
    void *block = NULL;
    if (posix_memalign(&block, 4096, 500)) abort();
    *(volatile char *)block = 1;
}

APART void grown(void)
{
    char *block = get(10);
    block = realloc(block, 5000);
    *(volatile char *)block = 1;
}

APART void duplicated(void)
{
    char *text = strdup("thirteen char");
    *(volatile char *)text = 'T';
}

/* What is freed keeps nothing alive, whatever stands in it. */
APART void in_a_freed_block(void)
{
    struct node *node = get_node();
    node->next = get(100);
    free(node);
}

APART void in_a_mapping_that_is_gone(void)
{
    void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = get(100);
    munmap(page, 4096);
}

static APART void *lose(void *unused)
{
    (void)unused;
    void *volatile block = get(100);
    (void)block;
    return NULL;
}

APART void by_a_thread_that_was_joined(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, lose, NULL);
    pthread_join(thread, NULL);
}

APART void by_a_detached_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, lose, NULL);
    pthread_detach(thread);
    usleep(200000);
}

/* Eight threads one after another, and at the same time: glibc keeps their stacks. */
APART void by_many_threads(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, lose, NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
}

APART void a_line_that_was_read(void)
{
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen("/proc/self/comm", "r");
    if (file == NULL || getline(&line, &room, file) <= 0) abort();
    fclose(file);
}

APART void a_directory_left_open(void)
{
    if (opendir("/") == NULL) abort();
}

static void *plugin;

static APART void load(void)
{
    plugin = dlopen(getenv("PLUGIN"), RTLD_NOW);
    if (plugin == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(99);
    }
    void (*keep)(void *) = (void (*)(void *))dlsym(plugin, "keep");
    keep(get(100));
}

APART void in_a_library_that_is_gone(void)
{
    load();
    dlclose(plugin);
}

APART void in_a_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        get(100);
        exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 23) abort();
}

/* 25 places, each of its own size. */
#define PLACE(n) APART void place_##n(void) { get(n * 20); }
PLACE(1) PLACE(2) PLACE(3) PLACE(4) PLACE(5) PLACE(6) PLACE(7) PLACE(8) PLACE(9) PLACE(10)
PLACE(11) PLACE(12) PLACE(13) PLACE(14) PLACE(15) PLACE(16) PLACE(17) PLACE(18) PLACE(19)
PLACE(20) PLACE(21) PLACE(22) PLACE(23) PLACE(24) PLACE(25)

APART void many_places(void)
{
    void (*const places[])(void) = {
        place_3, place_1, place_2, place_5, place_4, place_13, place_7, place_6, place_25, place_8,
        place_9, place_11, place_10, place_12, place_14, place_24, place_15, place_17, place_16,
        place_18, place_20, place_19, place_22, place_21, place_23,
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) places[i]();
}

/* All of it at once. */
APART void seeded(void)
{
    three_of_one_place();
    chain();
    tree();
    circle_with_a_tail();
    large();
    grown();
    in_a_freed_block();
    by_many_threads();
    many_places();
}

/* ---- not lost ---- */

APART void nothing(void) { free(get(100)); }

APART void variable(void) { kept = get(100); }

APART void pointer_into_it(void) { kept = (char *)get(100) + 60; }

APART void tagged_low(void) { kept = (void *)((uintptr_t)get(100) | 3); }

APART void held_by_an_inner_pointer(void)
{
    struct node *node = get_node();
    node->next = get_node();
    node->next->other = get(10);
    kept = &node->text;
}

APART void thread_local_variable(void) { kept_by_thread = get(100); }

APART void in_a_block(void)
{
    struct node *node = get_node();
    node->other = get(100);
    kept = node;
}

APART void far_in_a_large_block(void)
{
    void **block = calloc(4 << 20, 1);
    block[(4 << 20) / 8 - 1] = get(100);
    kept = block;
}

APART void in_a_mapping(void)
{
    void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[511] = get(100);
}

APART void in_a_shared_mapping(void)
{
    void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    page[511] = get(100);
}

/* Address space that is never touched takes neither time nor memory. */
APART void beside_a_vast_mapping(void)
{
    size_t vast = (size_t)1 << 38;
    void **pages = mmap(NULL, vast, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) exit(99);
    pages[vast / 16] = get(100);
}

APART void behind_the_break(void)
{
    void **place = sbrk(4096);
    *(void **)(((uintptr_t)place + 15) & ~(uintptr_t)15) = get(100);
}

static APART void leave(void *block)
{
    (void)*(volatile char *)block;
    exit(0);
}

APART void on_the_stack(void)
{
    void *volatile block = get(100);
    leave(block);
    (void)*(volatile char *)block;
}

static pthread_barrier_t ready;

static APART void *hold(void *unused)
{
    (void)unused;
    void *volatile block = get(100);
    pthread_barrier_wait(&ready);
    for (;;) pause();
    return block;
}

static APART void start(void *(*run)(void *), int threads)
{
    pthread_barrier_init(&ready, NULL, threads + 1);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, run, NULL);
        pthread_detach(thread);
    }
    pthread_barrier_wait(&ready);
}

APART void by_threads_that_wait(void) { start(hold, 5); }

/* The only pointer is in a register that the system call keeps. */
static APART void *hold_in_register(void *unused)
{
    (void)unused;
    void *block = get(100);
    pthread_barrier_wait(&ready);
    __asm__ volatile("mov %0, %%rbx\n"
                     "xor %0, %0\n"
                     "1: mov $34, %%eax\n" /* pause */
                     "syscall\n"
                     "jmp 1b\n"
                     : "+r"(block)
                     :
                     : "rbx", "rax", "rcx", "r11", "memory");
    return NULL;
}

APART void in_a_register(void) { start(hold_in_register, 1); usleep(50000); }

/* The only pointer is in a register, and the thread runs. */
static APART void *hold_and_run(void *unused)
{
    (void)unused;
    void *block = get(100);
    pthread_barrier_wait(&ready);
    __asm__ volatile("mov %0, %%r13\n"
                     "xor %0, %0\n"
                     "1: pause\n"
                     "jmp 1b\n"
                     : "+r"(block)
                     :
                     : "r13", "memory");
    return NULL;
}

APART void by_a_thread_that_runs(void) { start(hold_and_run, 1); usleep(50000); }

/* It waits for all signals: none of them may come to it that is not the program's. */
static APART void *wait_for_signals(void *unused)
{
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    void *volatile block = get(100);
    pthread_barrier_wait(&ready);
    int signal = 0;
    sigwait(&all, &signal);
    fprintf(stderr, "a signal came: %d\n", signal);
    return block;
}

APART void by_a_thread_that_blocks_signals(void) { start(wait_for_signals, 1); usleep(50000); }

/* Threads that allocate and free, and move what they have from one place to another. */
static APART void *work(void *unused)
{
    (void)unused;
    struct node *volatile places[64] = {0};
    pthread_barrier_wait(&ready);
    for (unsigned i = 0;; i++) {
        unsigned at = i * 2654435761u >> 26;
        if (places[at] != NULL && i % 3 == 0) {
            free(places[at]->next);
            free(places[at]);
            places[at] = NULL;
        } else if (places[at] == NULL) {
            struct node *node = get_node();
            node->next = get_node();
            places[at] = node;
        } else {
            unsigned to = (at + i) % 64;
            struct node *node = places[at];
            places[at] = places[to];
            places[to] = node;
        }
    }
    return NULL;
}

APART void beside_threads_that_work(void) { start(work, 3); usleep(20000); }

static APART void *get_in_thread(void *unused)
{
    (void)unused;
    return get(100);
}

APART void after_many_threads(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, get_in_thread, NULL);
    for (int i = 0; i < 8; i++) {
        void *block = NULL;
        pthread_join(threads[i], &block);
        free(block);
    }
}

static pthread_key_t key;

static APART void *keep_by_key(void *unused)
{
    (void)unused;
    pthread_setspecific(key, get(100));
    pthread_barrier_wait(&ready);
    for (;;) pause();
    return NULL;
}

APART void by_a_key(void)
{
    pthread_key_create(&key, NULL);
    pthread_setspecific(key, get(100));
    start(keep_by_key, 1);
}

APART void grown_and_kept(void)
{
    kept = get(10);
    kept = realloc(kept, 5000);
    kept = realloc(kept, 3 << 20);
    kept = realloc(kept, 9 << 20);
}

APART void files_left_open(void)
{
    static char buffer[8192];
    FILE *first = fopen("/proc/self/comm", "r"), *second = fopen("/proc/self/stat", "r");
    char *room = get(4096);
    setvbuf(first, room, _IOFBF, 4096);
    setvbuf(second, buffer, _IOFBF, sizeof buffer);
    if (fgetc(first) == EOF || fgetc(second) == EOF) abort();
    setvbuf(stdout, get(1000), _IOFBF, 1000);
    puts("buffered");
}

static void at_end(void) {}

APART void what_libc_keeps(void)
{
    for (int i = 0; i < 100; i++) {
        char name[32];
        sprintf(name, "VARIABLE_%d", i);
        setenv(name, "a value that is long enough to be in a block of its own", 1);
        atexit(at_end);
    }
    putenv(strdup("ANOTHER=one"));
    regex_t regex;
    if (regcomp(&regex, "(a|b)*c", REG_EXTENDED) != 0) abort();
    regfree(&regex);
    if (!dlopen("libm.so.6", RTLD_NOW)) abort();
}

APART void in_a_library(void) { load(); }

APART void in_thread_local_storage_of_a_library(void)
{
    load();
    void (*keep)(void *) = (void (*)(void *))dlsym(plugin, "keep_by_thread");
    keep(get(200));
}

APART void in_a_child_that_leaves(void)
{
    pid_t child = fork();
    if (child == 0) {
        get(100);
        _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 7) abort();
}

/* ---- asked for ---- */

APART void on_demand(void)
{
    kept = get(50);
    size_t before = hakmem_leaks();
    direct();
    size_t with = hakmem_leaks();
    if (before != 0 || with != 1) {
        fprintf(stderr, "hakmem_leaks: %zu, then %zu\n", before, with);
        exit(99);
    }
}

APART void with_a_status(void)
{
    direct();
    fputs("not flushed yet", stdout);
    exit(5);
}

APART void with_standard_error_closed(void)
{
    direct();
    fclose(stderr);
}

APART void damaged_as_well(void)
{
    char *block = get(24);
    block[24] = 1;
    kept = block;
    direct();
}

/* Two bytes behind one block, and one in a block that was freed. */
APART void damaged(void)
{
    char *first = get(24), *second = get(300);
    if (hakmem_verify() != 0) exit(98);
    free(second);
    first[24] = first[25] = 1;
    second[7] = 1;
    size_t damaged = hakmem_verify();
    if (damaged != 2) {
        fprintf(stderr, "hakmem_verify: %zu\n", damaged);
        exit(99);
    }
    if (hakmem_verify() != 0) exit(97);
    free(first);
}

APART void signalled(void)
{
    char *first = get(24);
    raise(SIGUSR2);
    first[24] = 1;
    raise(SIGUSR2);
    free(first);
}

/* Signals that come anywhere in malloc and free find nothing. */
APART void signalled_all_the_time(void)
{
    kept = get(10);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 300; i++) {
            kill(parent, SIGUSR2);
            usleep(1000);
        }
        _exit(0);
    }
    start(work, 1);
    void *places[64] = {0};
    int status;
    for (unsigned i = 0; i % 1024 != 0 || waitpid(child, &status, WNOHANG) == 0; i++) {
        unsigned at = i * 2654435761u >> 26;
        free(places[at]);
        places[at] = i % 5 == 0 ? NULL : get(1 + at * 20);
    }
    for (int i = 0; i < 64; i++) free(places[i]);
}

/* ---- */

#define CASE(name) {#name, name}
static const struct {
    const char *name;
    void (*run)(void);
} CASES[] = {
    CASE(direct), CASE(three_of_one_place), CASE(chain), CASE(tree), CASE(circle),
    CASE(circle_with_a_tail), CASE(circle_from_outside), CASE(itself), CASE(tagged_high), CASE(overwritten), CASE(no_bytes),
    CASE(large), CASE(middle), CASE(aligned), CASE(grown), CASE(duplicated),
    CASE(in_a_freed_block), CASE(in_a_mapping_that_is_gone), CASE(by_a_thread_that_was_joined),
    CASE(by_a_detached_thread), CASE(by_many_threads), CASE(a_line_that_was_read),
    CASE(a_directory_left_open), CASE(in_a_library_that_is_gone), CASE(in_a_child), CASE(many_places), CASE(seeded), CASE(nothing),
    CASE(variable), CASE(pointer_into_it), CASE(tagged_low), CASE(held_by_an_inner_pointer),
    CASE(thread_local_variable), CASE(in_a_block), CASE(far_in_a_large_block), CASE(in_a_mapping),
    CASE(in_a_shared_mapping), CASE(beside_a_vast_mapping), CASE(behind_the_break),
    CASE(on_the_stack), CASE(by_threads_that_wait), CASE(in_a_register),
    CASE(by_a_thread_that_runs), CASE(by_a_thread_that_blocks_signals),
    CASE(beside_threads_that_work), CASE(after_many_threads), CASE(by_a_key), CASE(grown_and_kept),
    CASE(files_left_open), CASE(what_libc_keeps), CASE(in_a_library),
    CASE(in_thread_local_storage_of_a_library), CASE(in_a_child_that_leaves), CASE(on_demand),
    CASE(with_a_status), CASE(with_standard_error_closed), CASE(damaged_as_well), CASE(damaged), CASE(signalled), CASE(signalled_all_the_time),
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (argc > 1 && strcmp(argv[1], "--list") == 0) puts(CASES[i].name);
        else if (argc > 1 && strcmp(argv[1], CASES[i].name) == 0) {
            CASES[i].run();
            return 0;
        }
    }
    return argc > 1 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
