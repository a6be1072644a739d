/* Programs to be watched: each case is one, named by the first argument. What a test has to
 * find by its line is marked by a comment in capitals at the end of the line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HAKMEM_WEAK
#include "../../capi/include/hakmem.h"

#define NOINLINE __attribute__((noinline, noclone))

struct item {
    long first, second, third, fourth;
};

/* A pointer that the compiler knows nothing of. */
static void *hidden(void *pointer) {
    __asm__ volatile("" : "+r"(pointer));
    return pointer;
}

NOINLINE struct item *make_item(void) {
    struct item *item = malloc(sizeof *item);
    item->first = 1;
    item->second = 2;
    return item;
}

NOINLINE void drop_item(struct item *item) {
    free(item);
    __asm__ volatile("" ::: "memory");
}

NOINLINE void write_late(struct item *item, long value) {
    item->second = value;
    item->first = value; /* THE WRITE */
    __asm__ volatile("" ::: "memory");
}

NOINLINE void write_other_word(struct item *item, long value) {
    item->third = value; /* THE OTHER WRITE */
    __asm__ volatile("" ::: "memory");
}

static void say_address(const char *what, const void *block) {
    printf("%s %p\n", what, block);
    fflush(stdout);
}

static int watch(const char *rule) {
    int number = hakmem_watch(rule);
    if (number <= 0) {
        fprintf(stderr, "hakmem_watch(%s): %d\n", rule, number);
        exit(1);
    }
    return number;
}

/* Frees an item and writes to it, in a program whose other threads allocate and free. */
static volatile int is_over;

static void *churn(void *unused) {
    void *blocks[64] = {0};
    unsigned state = 12345;
    while (!is_over) {
        state = state * 1103515245 + 12345;
        unsigned at = state >> 16 & 63;
        free(blocks[at]);
        blocks[at] = malloc(16 + (state >> 8 & 255));
    }
    for (int at = 0; at < 64; at++) free(blocks[at]);
    return unused;
}

static void *write_from_here(void *item) {
    write_late(item, 77);
    return NULL;
}

static void *wait_and_write(void *item) {
    struct item *volatile *place = item;
    while (*place == NULL) usleep(100);
    write_late(hidden(*place), 55);
    return NULL;
}

static int threads(void) {
    enum { CHURNERS = 3 };
    pthread_t churners[CHURNERS], early, late;
    struct item *volatile handed_over = NULL;
    for (int i = 0; i < CHURNERS; i++) pthread_create(&churners[i], NULL, churn, NULL);
    pthread_create(&early, NULL, wait_and_write, (void *)&handed_over);
    usleep(20000);
    struct item *item = make_item();
    drop_item(item);
    struct item *stale = hidden(item);
    say_address("item", stale);
    /* This thread, one that was there before the block was armed, and one that was not. */
    write_late(stale, 33);
    handed_over = stale;
    pthread_join(early, NULL);
    pthread_create(&late, NULL, write_from_here, stale);
    pthread_join(late, NULL);
    is_over = 1;
    for (int i = 0; i < CHURNERS; i++) pthread_join(churners[i], NULL);
    return 0;
}

/* One item, freed and written to. */
static int plain(void) {
    struct item *item = make_item();
    say_address("item", item);
    drop_item(item);
    write_late(hidden(item), 42);
    write_other_word(hidden(item), 43);
    return 0;
}

NOINLINE void write_word(long *block, int word) {
    block[word] += 100;
    __asm__ volatile("" ::: "memory");
}

/* Each word of a freed block is written, and of three when more have been freed. */
static int words(void) {
    struct item *item = make_item(), *second = make_item();
    long *other = malloc(48);
    say_address("item", item);
    say_address("second", second);
    say_address("other", other);
    drop_item(item);
    for (int word = 0; word < 4; word++) write_word(hidden(item), word);
    drop_item(second);
    for (int word = 0; word < 4; word++) write_word(hidden(item), word);
    for (int word = 0; word < 4; word++) write_word(hidden(second), word);
    free(other);
    for (int word = 0; word < 4; word++) write_word(hidden(item), word);
    for (int word = 0; word < 4; word++) write_word(hidden(second), word);
    for (int word = 0; word < 4; word++) write_word(hidden(other), word);
    return 0;
}

/* Blocks of many sizes, allocated and freed. */
static int sizes(void) {
    for (size_t size = 16; size <= 65536; size *= 2) {
        void *block = malloc(size);
        say_address("block", block);
        free(hidden(block));
    }
    void *block = calloc(10, 15);
    block = realloc(block, 155);
    free(hidden(block));
    return 0;
}

/* The same size from two functions, ten times each. */
NOINLINE static void *from_left(void) {
    void *block = malloc(72);
    __asm__ volatile("nop" ::: "memory"); /* or the two would be one */
    return block;
}

NOINLINE static void *from_right(void) {
    void *block = malloc(72);
    __asm__ volatile("" ::: "memory");
    return block;
}

static int sites(void) {
    void *blocks[20];
    for (int i = 0; i < 10; i++) {
        blocks[2 * i] = from_left();
        blocks[2 * i + 1] = from_right();
    }
    say_address("fifth", blocks[8]);
    for (int i = 0; i < 20; i++) free(hidden(blocks[i]));
    return 0;
}

/* The same block, again and again. */
static int lives(void) {
    for (int i = 0; i < 3; i++) {
        struct item *item = make_item();
        say_address("item", item);
        drop_item(item);
    }
    return 0;
}

/* A rule by an address, set by the program itself. */
static int by_address(void) {
    char rule[128];
    struct item *item = make_item();
    struct item *other = make_item();
    snprintf(rule, sizeof rule, "addr=%p on=free do=log,arm", (void *)&item->third);
    int number = watch(rule);
    say_address("item", item);
    drop_item(other);
    drop_item(item);
    write_late(hidden(item), 1);        /* another word */
    write_other_word(hidden(item), 43); /* the watched one */
    if (hakmem_unwatch(number) != 0) return 1;
    if (hakmem_unwatch(number) != -ENOENT) return 2;
    write_other_word(hidden(item), 44);
    return 0;
}

/* What hakmem_watch says. */
static int errors(void) {
    printf("%d %d %d %d\n", hakmem_watch("size=1"), hakmem_watch("nonsense"), hakmem_watch(NULL),
           hakmem_unwatch(4711));
    int last = 0;
    for (int i = 0; i < 40 && last >= 0; i++) last = hakmem_watch("size=1 do=log");
    printf("%d\n", last);
    return 0;
}

/* A live block: allocated, zeroed, written, copied by a resize. */
static int live(void) {
    long *zeroed = hidden(calloc(4, 8));
    zeroed[0] = 5; /* THE LIVE WRITE */
    long *moved = hidden(realloc(zeroed, 4000));
    say_address("moved", moved);
    moved[0] = 6; /* THE WRITE AFTER THE MOVE */
    free(hidden(moved));
    return 0;
}

/* Writes of many kinds to a freed block. */
static int strings(void) {
    char *block = hidden(malloc(256));
    memset(block, 1, 256);
    free(block);
    block = hidden(block);
    memset(block, 2, 256); /* THE MEMSET */
    char *end = block;
    size_t count = 256;
    __asm__ volatile("rep stosb" : "+D"(end), "+c"(count) : "a"(3) : "memory"); /* THE STRING */
    return 0;
}

/* The program has a handler of its own. */
static volatile sig_atomic_t traps;
static void on_trap(int number) {
    (void)number;
    traps++;
}

static int handlers(void) {
    struct item *item = make_item();
    drop_item(item); /* armed: hakmem has its handler */
    struct sigaction mine = {0}, before, now;
    mine.sa_handler = on_trap;
    sigaction(SIGTRAP, &mine, &before);
    struct item *second = make_item();
    drop_item(second); /* armed: and has it again, in front of this one */
    sigaction(SIGTRAP, NULL, &now);
    __asm__ volatile("int3");
    raise(SIGTRAP);
    printf("traps %d\n", (int)traps);
    write_late(hidden(second), 1);
    printf("traps %d\n", (int)traps);
    /* And takes it away again. */
    sigaction(SIGTRAP, &before, NULL);
    write_late(hidden(second), 2);
    printf("in front %d\n", now.sa_handler != on_trap);
    return 0;
}

/* The program's handler passes on what it does not know, to hakmem's. */
static struct sigaction next;
static void pass_on(int number, siginfo_t *info, void *context) {
    traps++;
    next.sa_sigaction(number, info, context);
}

static int handlers_in_a_row(void) {
    struct item *item = make_item();
    drop_item(item);
    struct sigaction mine = {0};
    mine.sa_sigaction = pass_on;
    mine.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &mine, &next);
    write_late(hidden(item), 1); /* to the program, and from there to hakmem */
    drop_item(make_item());      /* hakmem in front again */
    raise(SIGTRAP);              /* to hakmem, the program, hakmem: nobody's, the end */
    return 0;
}

/* SIGTRAP is blocked, so that a hit comes late. */
static int blocked(void) {
    struct item *item = make_item();
    drop_item(item);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTRAP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    write_late(hidden(item), 9);
    puts("written");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 0;
}

/* A fork's child has watchpoints of its own, and the parent keeps its. */
static int forks(void) {
    struct item *item = make_item();
    drop_item(item);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("child %d\n", (int)getpid());
        fflush(stdout);
        write_late(hidden(item), 7);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("parent %d\n", (int)getpid());
    write_late(hidden(item), 8);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* A program that is executed has none of this one's. */
static int executes(const char *self) {
    struct item *item = make_item();
    drop_item(item);
    unsetenv("HAKMEM_WATCH");
    execl(self, self, "plain", (char *)NULL);
    return 1;
}

/* A program that closes all files that it does not know, and gets their numbers again. */
static int closes(void) {
    struct item *item = make_item();
    drop_item(item);
    for (int fd = 3; fd < 1024; fd++) close(fd);
    int mine[64];
    for (int i = 0; i < 64; i++) mine[i] = fcntl(1, F_DUPFD, 500 + i);
    /* Others are armed in its place. */
    for (int i = 0; i < 8; i++) drop_item(make_item());
    for (int i = 0; i < 64; i++)
        if (fcntl(mine[i], F_GETFD) < 0) return 1;
    return 0;
}

/* Freed blocks that are armed are not handed out; once others are armed, they are. */
static int held(void) {
    struct item *items[8];
    for (int i = 0; i < 8; i++) items[i] = make_item();
    drop_item(items[0]);
    for (int i = 0; i < 5000; i++) {
        void *block = malloc(sizeof(struct item));
        if (block == hidden(items[0])) return 1;
        /* Kept, so that each is another one. */
    }
    for (int i = 1; i < 8; i++) drop_item(items[i]);
    for (int i = 0; i < 50000; i++)
        if (malloc(sizeof(struct item)) == hidden(items[0])) return puts("again") < 0;
    return 2;
}

static int frees_twice(void) {
    struct item *item = make_item();
    drop_item(item);
    drop_item(hidden(item));
    return 0;
}

/* Not held: the allocator links the block, hands it out zeroed, and the next owner writes. */
static int not_held(void) {
    struct item *items[600];
    for (int i = 0; i < 600; i++) items[i] = make_item();
    for (int i = 0; i < 600; i++) drop_item(items[i]);
    for (int i = 0; i < 600; i++) {
        items[i] = hidden(calloc(1, sizeof(struct item)));
        items[i]->first = i;
    }
    for (int i = 0; i < 600; i++) drop_item(items[i]);
    for (int i = 0; i < 600; i++) (hidden(make_item()));
    return 0;
}

/* A block with pages of its own. */
static int large(void) {
    volatile long *block = hidden(malloc(100000));
    say_address("block", (void *)block);
    memset((void *)block, 1, 100000);
    free((void *)block);
    block = hidden((void *)block);
    block[5000] = 4711; /* THE LARGE WRITE */
    block[5001] = 4712;
    block[0] = 4713;
    printf("%ld %ld\n", block[5000], block[0]);
    return 0;
}

/* The program's own SIGSEGV is the program's. */
static volatile sig_atomic_t faults;
static volatile long *page_of_mine;
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    if (info->si_addr != (void *)0x1000) abort();
    faults++;
    /* Leaves by a jump of sorts: the thread's end. */
    printf("faults %d\n", (int)faults);
    fflush(stdout);
    _exit(0);
}

static int faults_of_mine(void) {
    struct sigaction mine = {0};
    mine.sa_sigaction = on_fault;
    mine.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &mine, NULL);
    large();
    page_of_mine = (long *)0x1000;
    *page_of_mine = 1;
    return 1;
}

/* More threads than one, that write to the same pages. */
static void *write_pages(void *block) {
    for (int i = 0; i < 200; i++) ((volatile long *)block)[i * 16] = i;
    return NULL;
}

static int large_threads(void) {
    long *block = hidden(malloc(100000));
    free(block);
    block = hidden(block);
    pthread_t writers[4];
    for (int i = 0; i < 4; i++) pthread_create(&writers[i], NULL, write_pages, block);
    for (int i = 0; i < 4; i++) pthread_join(writers[i], NULL);
    for (int i = 0; i < 200; i++)
        if (block[i * 16] != i) return 1;
    return 0;
}

/* Random freed blocks: all are written to after their free. */
static int rotating(void) {
    for (int round = 0; round < 200; round++) {
        struct item *items[32];
        for (int i = 0; i < 32; i++) items[i] = make_item();
        for (int i = 0; i < 32; i++) drop_item(items[i]);
        for (int i = 0; i < 32; i++) write_late(hidden(items[i]), i);
        usleep(1000);
    }
    return 0;
}

/* Damages what a watch verifies: frees a block behind the watch's back. */
static int verifies(void) {
    struct item *item = make_item();
    say_address("item", item);
    drop_item(item);
    return 0;
}

/* Blocks of all sizes, allocated, resized and freed by several threads, which own each others'
 * blocks; every block has to hold what was written to it. */
static struct place {
    pthread_mutex_t lock;
    unsigned char *block;
    size_t size;
} places[256];

static void check_block(const struct place *place) {
    unsigned char mark = (unsigned char)((uintptr_t)place->size * 31);
    for (size_t i = 0; i < place->size; i++)
        if (place->block[i] != (unsigned char)(mark + i)) {
            fprintf(stderr, "byte %zu of %p, %zu bytes, is another\n", i, (void *)place->block,
                    place->size);
            abort();
        }
}

static void mark_block(struct place *place, size_t size) {
    unsigned char mark = (unsigned char)((uintptr_t)size * 31);
    place->size = size;
    for (size_t i = 0; i < size; i++) place->block[i] = (unsigned char)(mark + i);
}

static void *exchange(void *seed) {
    unsigned state = (unsigned)(uintptr_t)seed;
    for (int round = 0; round < 6000; round++) {
        state = state * 1103515245 + 12345;
        struct place *place = &places[state >> 16 & 255];
        unsigned what = state >> 8 & 7;
        /* One in 64 is large. */
        size_t size = (state >> 24 & 63) == 0 ? 40000 + (state >> 12) % 100000 : 1 + (state >> 10) % 600;
        pthread_mutex_lock(&place->lock);
        check_block(place);
        if (what < 3) {
            free(place->block);
            place->block = malloc(size);
        } else if (what < 5) {
            size_t kept = place->size < size ? place->size : size;
            unsigned char first = place->size > 0 ? place->block[0] : 0;
            place->block = realloc(place->block, size);
            if (kept > 0 && place->block[0] != first) abort();
        } else if (what == 5) {
            free(place->block);
            place->block = calloc(1, size);
            for (size_t i = 0; i < size; i++)
                if (place->block[i] != 0) abort();
        } else {
            free(place->block);
            place->block = NULL;
            size = 0;
        }
        mark_block(place, size);
        pthread_mutex_unlock(&place->lock);
    }
    return NULL;
}

static int exchanging(void) {
    pthread_t threads[4];
    for (int i = 0; i < 256; i++) pthread_mutex_init(&places[i].lock, NULL);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, exchange, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 256; i++) {
        check_block(&places[i]);
        free(places[i].block);
    }
    return 0;
}

/* A site in a library that is opened late (WATCH_LIBRARY). */
#include <dlfcn.h>

static int late_library(void) {
    void *library = dlopen(getenv("WATCH_LIBRARY"), RTLD_NOW);
    if (library == NULL) return 1;
    void *(*make)(void);
    *(void **)&make = dlsym(library, "made_by_the_library");
    free(hidden(make()));
    return 0;
}

/* The system refuses watchpoints. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static int refused(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 77;
    return plain();
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    static const struct {
        const char *name;
        int (*run)(void);
    } cases[] = {
        {"threads", threads},       {"plain", plain},
        {"words", words},
        {"sizes", sizes},           {"sites", sites},
        {"lives", lives},           {"by_address", by_address},
        {"errors", errors},         {"live", live},
        {"strings", strings},       {"handlers", handlers},
        {"blocked", blocked},       {"handlers_in_a_row", handlers_in_a_row},
        {"forks", forks},           {"closes", closes},
        {"held", held},             {"frees_twice", frees_twice},
        {"not_held", not_held},     {"large", large},
        {"faults", faults_of_mine}, {"large_threads", large_threads},
        {"rotating", rotating},     {"verifies", verifies},
        {"exchanging", exchanging},
        {"refused", refused},       {"late_library", late_library},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(name, cases[i].name) == 0) return cases[i].run();
    if (strcmp(name, "executes") == 0) return executes(argv[0]);
    fprintf(stderr, "no such case: %s\n", name);
    return 99;
}
