/* Programs that do one thing wrong: each case is one, named by the first argument. What a test has
 * to find by its line is marked by a comment in capitals at the end of the line. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
enum { SIZE = 40, STATUS = 7 };

/* A pointer that the compiler knows nothing of. */
static void *hidden(void *pointer) {
    __asm__ volatile("" : "+r"(pointer));
    return pointer;
}

NOINLINE char *make_item(size_t size) {
    char *item = malloc(size);
    __asm__ volatile("" ::"r"(item) : "memory");
    return item;
}

NOINLINE void drop_item(void *item) {
    free(item);
    __asm__ volatile("" ::: "memory");
}

NOINLINE void write_late(char *item, long value) {
    *(long *)(item + 16) = value; /* THE WRITE */
    __asm__ volatile("" ::: "memory");
}

NOINLINE void write_at(char *item, long at, char value) {
    item[at] = value;
    __asm__ volatile("" ::: "memory");
}

static void say_address(const char *what, const void *block) {
    printf("%s %p\n", what, block);
    fflush(stdout);
}

/* Blocks of the class around the one that a case is about. */
static char *below, *item, *above;

static void begin(void) {
    below = make_item(SIZE);
    item = make_item(SIZE);
    above = make_item(SIZE);
    say_address("item", item);
    say_address("below", below);
    say_address("above", above);
}

static void nothing(void) {
    begin();
    memset(item, 1, SIZE);
    drop_item(item);
    drop_item(below);
    drop_item(above);
}

static void freed_twice(void) {
    begin();
    drop_item(item);
    drop_item(hidden(item));
}

/* Does `what` with the item, called by as many more functions. */
NOINLINE void from_afar(int functions, void (*what)(void)) {
    if (functions == 0)
        what();
    else
        from_afar(functions - 1, what);
    __asm__ volatile("" ::: "memory");
}

static void make(void) { item = make_item(SIZE); }
static void drop(void) { drop_item(hidden(item)); }

static void freed_twice_from_afar(void) {
    from_afar(20, make);
    from_afar(20, drop);
    drop();
}

static void interior(void) {
    begin();
    drop_item(item + 8);
}

static int global = 1;

static void of_global(void) { drop_item(hidden(&global)); }

static void of_stack(void) {
    long local = 1;
    drop_item(hidden(&local));
}

static void of_small_number(void) { drop_item(hidden((void *)(uintptr_t)16)); }

static void overflow(void) {
    begin();
    /* By hand: memcpy would be checked. */
    char *end = hidden(item + SIZE);
    end[0] = 'A';
    end[1] = 0;
    drop_item(item);
}

static void overflow_never_freed(void) {
    begin();
    write_at(item, SIZE, 0);
}

/* Through what is behind, into places that nobody has had. */
static void overflow_of_160(void) {
    begin();
    for (long at = 0; at < 4 * SIZE; at++) write_at(above, SIZE + at, 'L');
    drop_item(above);
}

/* Where a block that lies right in its pages has some bytes left behind it. */
static void one_behind_an_odd_size(void) {
    char *odd = make_item(13);
    write_at(odd, 13, 'O');
    drop_item(odd);
}

static void far_below(void) {
    begin();
    write_at(item, -12, 1);
    drop_item(item);
}

static void underflow(void) {
    begin();
    write_at(item, -1, 1);
    drop_item(item);
}

static void underflow_never_freed(void) {
    begin();
    write_at(item, -8, 1);
}

/* Nobody but libc has called the function that allocates. */
static void *overflowing(void *unused) {
    char *block = malloc(SIZE);
    write_at(block, SIZE, 0);
    free(block);
    return unused;
}

static void overflow_in_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, overflowing, NULL);
    pthread_join(thread, NULL);
}

static void late_write(void) {
    begin();
    drop_item(item);
    write_late(item, (long)(uintptr_t)below);
}

static void realloc_after_free(void) {
    begin();
    drop_item(item);
    item = realloc(hidden(item), 2 * SIZE);
    if (item == NULL) exit(9);
    memset(item, 1, 2 * SIZE);
}

static void realloc_of_damaged(void) {
    begin();
    write_at(item, SIZE, 1);
    item = realloc(item, 3 * SIZE);
    memset(item, 1, 3 * SIZE);
}

/* Reads a pointer out of a freed block, and uses it. */
static void use_of_filling(void) {
    begin();
    char **pointers = hidden(item);
    drop_item(item);
    printf("%c\n", *((char *volatile *)pointers)[1]);
}

/* Reads a pointer out of a freed block, and frees it. */
static void free_of_filling(void) {
    begin();
    char **pointers = hidden(item);
    drop_item(item);
    free(((char *volatile *)pointers)[1]);
}

/* An array that is given as many bytes as it is to have elements. */
static void grown_too_little(void) {
    size_t room = 4;
    int *array = hidden(malloc(room * sizeof *array));
    for (size_t count = 0; count < 9; count++) {
        if (count == room) array = hidden(realloc(array, room *= 2));
        ((int volatile *)array)[count] = (int)count;
    }
}

/* What was printed waits in a block that is freed. */
static void freed_buffer_of_stdout(void) {
    char *buffer = hidden(malloc(4096));
    setvbuf(stdout, buffer, _IOFBF, 4096);
    printf("lost\n");
    free(buffer);
    exit(STATUS);
}

/* The same, but nothing waits any more. */
static void flushed_buffer_of_stdout(void) {
    char *buffer = hidden(malloc(4096));
    setvbuf(stdout, buffer, _IOFBF, 4096);
    printf("written\n");
    fflush(stdout);
    free(buffer);
    exit(STATUS);
}

/* Damage, and then another end. */
static void overflow_and_abort(void) {
    begin();
    write_at(item, SIZE, 1);
    abort();
}

static void all_at_once(void) {
    begin();
    write_at(below, SIZE, 1);
    write_at(above, SIZE, 1);
    drop_item(item);
    write_late(item, 1);
}

/* Far behind the last block: over all that is kept around it, into a place that nobody has had. */
static void far_overflow(void) {
    begin();
    write_at(above, 300, 1);
}

/* The same, and then the place is handed out. */
static void far_overflow_found_at_use(void) {
    char *far[8];
    begin();
    write_at(above, 5 * 64 + 20, 1);
    for (int i = 0; i < 8; i++) far[i] = make_item(SIZE);
    for (int i = 0; i < 8; i++) drop_item(far[i]);
}

/* Without a gap through all that is kept behind the last block, and through three more places. */
static void long_overflow(void) {
    begin();
    for (int at = SIZE; at < SIZE + 180; at++) write_at(above, at, 1);
}

/* Far in front of the first block of a slab, whose first place nobody gets. */
static void far_underflow(void) {
    begin();
    write_at(below, -50, 1);
}

/* Far behind a block that was freed since: nobody else has been near. */
static void far_overflow_of_a_freed(void) {
    begin();
    write_at(above, 300, 1);
    drop_item(above);
}

/* Places ahead of what is handed out are filled, the end of the slab is not in memory. */
static void ahead(void) {
    enum { PLACE = 2560, AHEAD = 4096 };
    char *block = hidden(make_item(2100));
    char *slab = (char *)((uintptr_t)block & -(uintptr_t)65536);
    unsigned char resident = 1;
    if (mincore(slab + 60 * 1024, 4096, &resident) != 0 || resident & 1) exit(1);
    for (char *at = block + PLACE + 8; at < block + PLACE + AHEAD; at++)
        if (*(unsigned char *)at != 0xde && (at - slab) % PLACE >= 8) exit(3);
}

static void large_overflow(void) {
    char *large = make_item(100000);
    say_address("item", large);
    write_at(large, 100000, 1);
    drop_item(large);
}

static void aligned_overflow(void) {
    void *block;
    if (posix_memalign(&block, 64, 100) != 0) exit(9);
    write_at(block, 100, 1);
    drop_item(block);
}

static void exact_end(void) {
    for (size_t size = 1; size < 3000; size += 7) {
        char *block = make_item(size);
        memset(block, 1, size);
        drop_item(block);
    }
}

/* A server: one thread hands items to others, that are late with what they write. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static char *handed, *seen;

static void *worker(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    while (handed == NULL) pthread_cond_wait(&came, &lock);
    char *mine = handed;
    pthread_mutex_unlock(&lock);
    for (int round = 0; round < 1000; round++) drop_item(make_item(SIZE + round % 100));
    write_late(mine, 33);
    seen = mine;
    return NULL;
}

static void *bystander(void *unused) {
    (void)unused;
    for (int round = 0; round < 20000; round++) drop_item(make_item(1 + round % 300));
    return NULL;
}

static void server(void) {
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, worker, NULL);
    pthread_create(&threads[1], NULL, bystander, NULL);
    pthread_create(&threads[2], NULL, bystander, NULL);
    begin();
    drop_item(item);
    pthread_mutex_lock(&lock);
    handed = hidden(item);
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    /* More than the quarantine holds: the place comes to be used again. */
    for (int i = 0; i < 100000; i++) drop_item(make_item(SIZE));
}

/* Two threads free one block at a time. */
static pthread_barrier_t barrier;

static void *freer(void *block) {
    pthread_barrier_wait(&barrier);
    free(block);
    return NULL;
}

static void freed_by_two(void) {
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t threads[2];
    begin();
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, freer, item);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

/* A child of fork() is checked like its parent. */
#include <sys/wait.h>
static void forked(void) {
    begin();
    pid_t child = fork();
    if (child == 0) {
        write_at(item, SIZE, 1);
        drop_item(item);
        exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    drop_item(item);
    exit(WIFSIGNALED(status) ? 10 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void own_handler(int number) {
    (void)number;
    static const char text[] = "the program's own handler\n";
    if (write(1, text, sizeof text - 1) < 0) _exit(8);
    _exit(STATUS);
}

/* The program has a handler of its own for the fault. */
static void with_handler(void) {
    signal(SIGSEGV, own_handler);
    use_of_filling();
}

/* Freed blocks that a rule holds back, which are more than can be armed at once: the oldest go back
 * to the allocator, which writes its links into them. */
static void freed_and_held(void) {
    enum { BLOCKS = 200 };
    char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) blocks[i] = make_item(4);
    for (int i = 0; i < BLOCKS; i++) drop_item(blocks[i]);
    /* The allocator's slow paths take what was held back. */
    for (int i = 0; i < BLOCKS; i++) drop_item(make_item(100000));
    say_address("item", blocks[0]);
}

static void held_and_freed_again(void) {
    static char *first;
    first = make_item(4);
    drop_item(first);
    freed_and_held();
    say_address("item", first);
    drop_item(first);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
#define CASE(name) { #name, name }
    CASE(nothing), CASE(freed_twice), CASE(freed_twice_from_afar), CASE(interior), CASE(of_global), CASE(of_stack),
    CASE(of_small_number), CASE(overflow), CASE(overflow_never_freed), CASE(underflow),
    CASE(overflow_of_160), CASE(one_behind_an_odd_size), CASE(far_below),
    CASE(underflow_never_freed), CASE(overflow_in_thread), CASE(late_write), CASE(realloc_after_free),
    CASE(realloc_of_damaged), CASE(use_of_filling), CASE(overflow_and_abort), CASE(all_at_once),
    CASE(large_overflow), CASE(aligned_overflow), CASE(exact_end), CASE(server),
    CASE(freed_by_two), CASE(forked), CASE(with_handler), CASE(far_overflow),
    CASE(far_overflow_found_at_use), CASE(long_overflow), CASE(far_underflow),
    CASE(far_overflow_of_a_freed), CASE(ahead),
    CASE(free_of_filling), CASE(grown_too_little),
    CASE(freed_buffer_of_stdout), CASE(flushed_buffer_of_stdout), CASE(freed_and_held), CASE(held_and_freed_again),
};

int main(int count, char **arguments) {
    for (size_t i = 0; count > 1 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, arguments[1]) == 0) {
            cases[i].run();
            puts("end");
            return STATUS;
        }
    }
    return 2;
}
