/* A program whose malloc is glibc's opens libhakmem.so (GUEST_LIBRARY) and calls
 * it by its own names: two allocators in one process, pointers of both. */
#include "check.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>

static struct {
    void *library;
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    size_t (*usable_size)(void *);
    int (*memalign)(void **, size_t, size_t);
} guest;

static void open_guest(int flags) {
    const char *path = getenv("GUEST_LIBRARY");
    CHECK(path != NULL, "GUEST_LIBRARY is not set");
    guest.library = dlopen(path, flags);
    CHECK(guest.library != NULL, "dlopen: %s", dlerror());
#define SYMBOL(member, name)                                                    \
    do {                                                                        \
        *(void **)&guest.member = dlsym(guest.library, name);                   \
        Dl_info info_ = {0};                                                    \
        CHECK(guest.member != NULL && dladdr(*(void **)&guest.member, &info_)   \
                  && strstr(info_.dli_fname, "libhakmem") != NULL,              \
              "%s: expected in libhakmem, saw %s", name, info_.dli_fname);      \
    } while (0)
    SYMBOL(malloc, "malloc");
    SYMBOL(calloc, "calloc");
    SYMBOL(realloc, "realloc");
    SYMBOL(free, "free");
    SYMBOL(usable_size, "malloc_usable_size");
    SYMBOL(memalign, "posix_memalign");
    CHECK(guest.malloc != malloc, "the program's malloc is the guest's");
}

static void work(unsigned seed) {
    enum { COUNT = 200 };
    uint64_t random = seed + 1;
    void *ours[COUNT], *theirs[COUNT];
    size_t sizes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        sizes[i] = random_size(&random);
        fill(ours[i] = malloc(sizes[i]), sizes[i], seed);
        theirs[i] = i % 3 ? guest.malloc(sizes[i]) : guest.calloc(1, sizes[i]);
        CHECK(theirs[i] != NULL, "the guest's malloc(%zu): saw NULL", sizes[i]);
        CHECK(guest.usable_size(theirs[i]) >= sizes[i], "usable: %zu of %zu",
              guest.usable_size(theirs[i]), sizes[i]);
        fill(theirs[i], sizes[i], seed + 1);
    }
    for (int i = 0; i < COUNT; i++) {
        FILLED(ours[i], sizes[i], seed);
        FILLED(theirs[i], sizes[i], seed + 1);
        free(ours[i]);
        if (i % 4 == 0) theirs[i] = guest.realloc(theirs[i], sizes[i] * 2);
        guest.free(theirs[i]);
    }
}

static void two_allocators_side_by_side(void) {
    open_guest(RTLD_NOW | RTLD_LOCAL);
    for (unsigned i = 0; i < 20; i++) work(i);
}

/* The program may not know whose a pointer is: the guest hands it on. */
static void foreign_pointers_are_handed_on(void) {
    open_guest(RTLD_NOW | RTLD_LOCAL);
    size_t before = resident();
    const size_t sizes[] = {1, 100, 2000, 5000, 30000, 200000, 3 * MIB};
    for (int round = 0; round < 3000; round++) {
        size_t size = sizes[round % 7];
        void *block = malloc(size);
        fill(block, size, 1);
        if (round % 5 == 0) {
            block = guest.realloc(block, size * 2);
            CHECK(block != NULL, "realloc of a foreign block of %zu: saw NULL", size);
            size_t same = filled_until(block, size / 8 * 8, 1);
            CHECK(same == size / 8 * 8, "realloc of a foreign block: byte %zu differs", same);
            memset(block, 1, size * 2);
        }
        guest.free(block);
    }
    guest.free(memalign(4096, 100));
    guest.free(strdup("text"));
    size_t after = resident();
    CHECK(after < before + 100 * MIB, "resident: %zu before, %zu after", before, after);
}

static void *work_in_thread(void *barrier) {
    for (unsigned i = 0; i < 5; i++) work(i);
    if (barrier != NULL) {
        void *left = guest.malloc(1000);
        pthread_barrier_wait(barrier);
        /* The library is closed now. */
        pthread_barrier_wait(barrier);
        guest.free(left);
        work(7);
    }
    return NULL;
}

static void threads_use_the_guest(void) {
    open_guest(RTLD_NOW | RTLD_LOCAL);
    for (int round = 0; round < 10; round++) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) EQ(pthread_create(&threads[i], NULL, work_in_thread, NULL), 0);
        for (int i = 0; i < 4; i++) EQ(pthread_join(threads[i], NULL), 0);
    }
}

/* Threads that used it end after dlclose, and so do its blocks. */
static void dlclose_beside_threads(void) {
    enum { THREADS = 4 };
    open_guest(RTLD_NOW | RTLD_LOCAL);
    pthread_barrier_t barrier;
    EQ(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        EQ(pthread_create(&threads[i], NULL, work_in_thread, &barrier), 0);
    pthread_barrier_wait(&barrier);
    EQ(dlclose(guest.library), 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++) EQ(pthread_join(threads[i], NULL), 0);
}

static void opened_and_closed_many_times(void) {
    void *kept = NULL;
    for (unsigned i = 0; i < 200; i++) {
        open_guest(i % 2 ? RTLD_NOW | RTLD_LOCAL : RTLD_LAZY | RTLD_GLOBAL);
        if (kept != NULL) {
            FILLED(kept, 3000, 3);
            guest.free(kept);
        }
        work(i);
        fill(kept = guest.malloc(3000), 3000, 3);
        EQ(dlclose(guest.library), 0);
    }
}

static void *open_in_thread(void *unused) {
    open_guest(RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    work(1);
    return unused;
}

static void opened_by_a_thread(void) {
    pthread_t thread;
    EQ(pthread_create(&thread, NULL, open_in_thread, NULL), 0);
    EQ(pthread_join(thread, NULL), 0);
    work(2);
}

/* With everything else out of the way: what is not even glibc's is glibc's
 * matter, and it aborts. */
static void a_wild_pointer_is_glibcs_matter(void) {
    open_guest(RTLD_NOW | RTLD_LOCAL);
    static char block[256] __attribute__((aligned(64)));
    guest.free(hide(block + 64));
    _exit(98);
}

CASES(CASE(two_allocators_side_by_side), CASE(foreign_pointers_are_handed_on),
      CASE(threads_use_the_guest), CASE(dlclose_beside_threads),
      CASE(opened_and_closed_many_times), CASE(opened_by_a_thread),
      CASE(a_wild_pointer_is_glibcs_matter))
