/* A program that hakmem is linked into, statically as a rule. It prints the
 * version of hakmem, or that there is none. */
#include "check.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>

extern const char *hakmem_version(void) __attribute__((weak));

static void *work(void *argument) {
    enum { COUNT = 500 };
    unsigned seed = (unsigned)(uintptr_t)argument;
    uint64_t random = seed + 1;
    static __thread struct {
        void *block;
        size_t size;
    } slots[COUNT];
    for (int i = 0; i < 30000; i++) {
        size_t at = next_random(&random) % COUNT, size = random_size(&random);
        if (slots[at].block != NULL) {
            size_t some = slots[at].size < 500 ? slots[at].size : 500;
            FILLED(slots[at].block, some, seed);
        }
        slots[at].block = realloc(i % 3 ? (free(slots[at].block), NULL) : slots[at].block, size);
        slots[at].size = size;
        CHECK(slots[at].block != NULL, "realloc to %zu: saw NULL", size);
        fill(slots[at].block, size < 500 ? size : 500, seed);
    }
    for (int i = 0; i < COUNT; i++) free(slots[i].block);
    return NULL;
}

static void in_threads(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        EQ(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < 4; i++) EQ(pthread_join(threads[i], NULL), 0);
}

int main(void) {
    for (int i = 0; i < 5; i++) in_threads();
    pid_t child = fork();
    if (child == 0) {
        in_threads();
        exit(0);
    }
    int status = 0;
    EQ(waitpid(child, &status, 0), child);
    EQ(status, 0);

    /* The whole family of names, for none may come from libc. */
    void *aligned = NULL;
    EQ(posix_memalign(&aligned, 4096, 100), 0);
    ALIGNED(aligned, 4096);
    free(aligned);
    free(aligned_alloc(64, 128));
    free(memalign(128, 10));
    free(valloc(10));
    free(pvalloc(10));
    free(reallocarray(NULL, 10, 10));
    CHECK(mallinfo2().arena + mallinfo2().hblkhd > 0, "mallinfo2: nothing is mapped");
    mallopt(M_ARENA_MAX, 1);
    malloc_trim(0);
    void *block = calloc(100, 100);
    CHECK(malloc_usable_size(block) >= 10000, "usable: %zu", malloc_usable_size(block));
    free(block);

    const char *version = hakmem_version == NULL ? "none" : hakmem_version();
    print("hakmem %s\n", version);
    return 0;
}
