/* A program that does what its arguments say, step by step, and reports the
 * allocator's statistics in between. Each argument is one step:
 *
 *     take GROUP SIZE COUNT   allocates and fills blocks
 *     hold GROUP SIZE COUNT   allocates blocks and writes the first byte of each
 *     give GROUP              frees the group's blocks, in the order of allocation
 *     give GROUP EVERY REST   of those, the ones whose number is REST modulo EVERY
 *     resize GROUP SIZE       reallocates them
 *     churn SIZE COUNT TIMES  takes COUNT blocks and gives them back, TIMES times
 *     thread                  the steps up to `end` run in a thread of their own,
 *     end                     which has ended when the next step begins
 *     exit-value              allocates in the last round of a thread's destructors
 *     race THREADS MOST       slabs change hands until a claim has lost a race, or
 *                             MOST rounds are over
 *     sleep MILLISECONDS
 *     trim                    malloc_trim(0)
 *     usable GROUP            malloc_usable_size of each block
 *     dump                    hakmem_debug_dump()
 *     fork                    a child takes and gives 50 blocks of 1000 bytes, and exits
 *     mark TEXT               writes a line to standard error
 *     where GROUP             prints the addresses of the blocks
 *     whose GROUP             prints how many of the blocks hakmem knows, and how many
 *                             it does not, and the usable size of the first
 *     set NAME VALUE          changes the program's environment
 *     secure                  prints whether the system distrusts the environment
 *     report NAME             prints what the allocator and the kernel count
 *
 * Blocks are filled when they are taken, and looked at before they are freed or
 * resized: whatever the settings, their content is the program's own. What the
 * program keeps itself lies in mappings, so that its steps are its only allocations. */
#include "check.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

typedef int visitor(const void *block, size_t size, int state, void *argument);
size_t hakmem_stats_json(char *buffer, size_t size) __attribute__((weak));
void hakmem_debug_dump(void) __attribute__((weak));
int hakmem_walk(visitor *visit, void *argument) __attribute__((weak));

enum { GROUPS = 32, WORDS = 5, WORD = 32 };

struct group {
    char name[WORD];
    size_t size, count;
    void **blocks;
};

static struct group groups[GROUPS];

static void *pages(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED, "mmap of %zu bytes failed", bytes);
    return start;
}

static struct group *group_named(const char *name) {
    for (int i = 0; i < GROUPS; i++) {
        if (groups[i].name[0] == 0) snprintf(groups[i].name, WORD, "%s", name);
        if (strcmp(groups[i].name, name) == 0) return &groups[i];
    }
    CHECK(0, "too many groups");
}

/* A pattern of its own for each block, so that an overlap shows. */
static unsigned seed_of(const struct group *group, size_t index) {
    return (unsigned)((group - groups) * 1000003 + (ptrdiff_t)index);
}

static void take(struct group *group, size_t size, size_t count, int whole) {
    CHECK(group->blocks == NULL, "group %s has blocks", group->name);
    group->size = size;
    group->count = count;
    group->blocks = pages(count * sizeof *group->blocks);
    for (size_t i = 0; i < count; i++) {
        char *block = malloc(size);
        CHECK(block != NULL, "malloc(%zu): saw NULL", size);
        fill(block, whole ? size : 1, seed_of(group, i));
        group->blocks[i] = block;
    }
}

static void give(struct group *group, size_t every, size_t rest) {
    CHECK(group->blocks != NULL, "group %s has no blocks", group->name);
    size_t left = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (group->blocks[i] == NULL) continue;
        if (i % every != rest) {
            left++;
            continue;
        }
        FILLED(group->blocks[i], group->size, seed_of(group, i));
        free(group->blocks[i]);
        group->blocks[i] = NULL;
    }
    if (left > 0) return;
    munmap(group->blocks, group->count * sizeof *group->blocks);
    group->blocks = NULL;
}

static void resize(struct group *group, size_t size) {
    size_t kept = size < group->size ? size : group->size;
    for (size_t i = 0; i < group->count; i++) {
        if (group->blocks[i] == NULL) continue;
        char *block = realloc(group->blocks[i], size);
        CHECK(block != NULL, "realloc to %zu: saw NULL", size);
        FILLED(block, kept, seed_of(group, i));
        fill(block, size, seed_of(group, i));
        group->blocks[i] = block;
    }
    group->size = size;
}

static void churn(size_t size, size_t count, size_t times) {
    void **blocks = pages(count * sizeof *blocks);
    for (size_t time = 0; time < times; time++) {
        for (size_t i = 0; i < count; i++) {
            blocks[i] = malloc(size);
            CHECK(blocks[i] != NULL, "malloc(%zu): saw NULL", size);
            *(char *)blocks[i] = 1;
        }
        for (size_t i = 0; i < count; i++) free(blocks[i]);
    }
    munmap(blocks, count * sizeof *blocks);
}

/* The value of a destructor that comes after the allocator's in each round:
 * glibc goes through the keys in the order in which they were made. */
static pthread_key_t late;

static void allocate_late(void *round) {
    uintptr_t now = (uintptr_t)round;
    char *block = malloc(100);
    CHECK(block != NULL, "malloc in round %zu of the destructors: saw NULL", (size_t)now);
    fill(block, 100, (unsigned)now);
    FILLED(block, 100, (unsigned)now);
    free(block);
    if (now < 4) pthread_setspecific(late, (void *)(now + 1));
}

static void *set_late(void *unused) {
    free(malloc(100));
    pthread_setspecific(late, (void *)1);
    return unused;
}

static void exit_value(void) {
    free(malloc(100));
    EQ(pthread_key_create(&late, allocate_late), 0);
    pthread_t thread;
    EQ(pthread_create(&thread, NULL, set_late, NULL), 0);
    EQ(pthread_join(thread, NULL), 0);
}

static size_t statistics(char *buffer, size_t size) {
    CHECK(hakmem_stats_json != NULL, "hakmem is not the allocator of this program");
    size_t length = hakmem_stats_json(buffer, size);
    CHECK(length < size, "statistics of %zu bytes", length);
    return length;
}

static size_t counter(char *buffer, size_t size, const char *name) {
    statistics(buffer, size);
    char key[64];
    int length = snprintf(key, sizeof key, "\"%s\":", name);
    char *found = strstr(buffer, key);
    CHECK(found != NULL, "no counter is named %s", name);
    return strtoul(found + length, NULL, 10);
}

static struct {
    atomic_int over;
    pthread_barrier_t round;
} racing;

/* A slab of this class has 32 blocks, so nearly every 32nd request claims slots. */
static void *race_one(void *unused) {
    enum { BLOCKS = 32 * 24 };
    void *blocks[BLOCKS];
    while (!racing.over) {
        pthread_barrier_wait(&racing.round);
        for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(2048);
        for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
        pthread_barrier_wait(&racing.round);
    }
    return unused;
}

static void race(size_t threads, size_t most) {
    enum { BYTES = 1 << 16 };
    pthread_t *started = pages(threads * sizeof *started);
    char *buffer = pages(BYTES);
    EQ(pthread_barrier_init(&racing.round, NULL, (unsigned)threads + 1), 0);
    for (size_t i = 0; i < threads; i++)
        EQ(pthread_create(&started[i], NULL, race_one, NULL), 0);
    size_t round = 1;
    for (; !racing.over; round++) {
        pthread_barrier_wait(&racing.round);
        /* Seen by all after the second barrier: until then they do not look. */
        if (round >= most || counter(buffer, BYTES, "claim_retries") > 0) racing.over = 1;
        pthread_barrier_wait(&racing.round);
    }
    for (size_t i = 0; i < threads; i++) EQ(pthread_join(started[i], NULL), 0);
    print("value race.rounds %zu\n", round - 1);
}

static void write_all(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(1, text, length);
        CHECK(written > 0, "write failed");
        text += written;
        length -= (size_t)written;
    }
}

/* A file of /proc as a string. */
static char *read_file(const char *path, size_t size) {
    char *text = pages(size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0, "%s cannot be opened", path);
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, text + length, size - 1 - length)) > 0) length += (size_t)got;
    CHECK(length < size - 1, "%s is too long", path);
    close(fd);
    return text;
}

/* Bytes of the private mappings of no file that can be written. */
static size_t writable(void) {
    enum { BYTES = 4 << 20 };
    char *text = read_file("/proc/self/maps", BYTES), *line = text;
    size_t sum = 0;
    while (line != NULL && *line != 0) {
        unsigned long first, end, inode;
        char protection[8];
        int fields = sscanf(line, "%lx-%lx %7s %*s %*s %lu", &first, &end, protection, &inode);
        EQ(fields, 4);
        if (strcmp(protection, "rw-p") == 0 && inode == 0) sum += end - first;
        line = strchr(line, '\n');
        if (line != NULL) line++;
    }
    munmap(text, BYTES);
    return sum;
}

/* A line of smaps_rollup: the kernel's exact count; statm's lags by what each CPU has not
 * added yet. */
static size_t in_memory(const char *what) {
    enum { BYTES = 1 << 16 };
    char *text = read_file("/proc/self/smaps_rollup", BYTES);
    char *line = strstr(text, what);
    CHECK(line != NULL, "no %s in smaps_rollup", what);
    size_t kilobytes = strtoul(line + strlen(what), NULL, 10);
    munmap(text, BYTES);
    return kilobytes * KIB;
}

static void report(const char *name) {
    enum { BYTES = 1 << 16 };
    char *buffer = pages(BYTES);
    size_t length = statistics(buffer, BYTES);
    print("report %s %zu %zu %zu ", name, in_memory("\nRss:"), in_memory("\nAnonHugePages:"),
          writable());
    write_all(buffer, length);
    write_all("\n", 1);
    munmap(buffer, BYTES);
}

static void where(const struct group *group) {
    print("where %s", group->name);
    for (size_t i = 0; group->blocks != NULL && i < group->count; i++)
        if (group->blocks[i] != NULL) print(" %zx", (size_t)group->blocks[i]);
    print("\n");
}

struct sought {
    const void *block;
    int live;
};

static int is_sought(const void *block, size_t size, int state, void *argument) {
    enum { LIVE = 1 };
    struct sought *sought = argument;
    (void)size;
    if (block == sought->block && state == LIVE) sought->live = 1;
    return sought->live;
}

static void usable(const struct group *group) {
    for (size_t i = 0; i < group->count; i++) {
        size_t bytes = malloc_usable_size(group->blocks[i]);
        CHECK(bytes >= group->size, "usable bytes: saw %zu", bytes);
    }
}

static void forked_child(void) {
    pid_t child = fork();
    CHECK(child >= 0, "fork failed");
    if (child == 0) {
        void *blocks[50];
        for (int i = 0; i < 50; i++) blocks[i] = malloc(1000);
        for (int i = 0; i < 50; i++) free(blocks[i]);
        exit(0);
    }
    int status = 0;
    EQ(waitpid(child, &status, 0), child);
    EQ(status, 0);
    print("value child %d\n", (int)child);
}

static void whose(const struct group *group) {
    size_t known = 0, unknown = 0;
    for (size_t i = 0; i < group->count; i++) {
        struct sought sought = {group->blocks[i], 0};
        hakmem_walk(is_sought, &sought);
        known += (size_t)sought.live;
        unknown += !sought.live;
    }
    print("whose %s %zu %zu %zu\n", group->name, known, unknown,
          malloc_usable_size(group->blocks[0]));
}

struct steps {
    char **next, **end;
};

static void *run(void *argument) {
    struct steps *steps = argument;
    while (steps->next < steps->end) {
        const char *step = *steps->next++;
        char word[WORDS][WORD] = {{0}};
        int words = sscanf(step, "%31s %31s %31s %31s", word[0], word[1], word[2], word[3]);
        size_t number[WORDS];
        for (int i = 0; i < WORDS; i++) number[i] = strtoul(word[i], NULL, 10);
        const char *verb = word[0];
        if (strcmp(verb, "take") == 0 && words == 4) {
            take(group_named(word[1]), number[2], number[3], 1);
        } else if (strcmp(verb, "hold") == 0 && words == 4) {
            take(group_named(word[1]), number[2], number[3], 0);
        } else if (strcmp(verb, "give") == 0 && words == 2) {
            give(group_named(word[1]), 1, 0);
        } else if (strcmp(verb, "give") == 0 && words == 4) {
            give(group_named(word[1]), number[2], number[3]);
        } else if (strcmp(verb, "resize") == 0 && words == 3) {
            resize(group_named(word[1]), number[2]);
        } else if (strcmp(verb, "churn") == 0 && words == 4) {
            churn(number[1], number[2], number[3]);
        } else if (strcmp(verb, "thread") == 0 && words == 1) {
            pthread_t thread;
            EQ(pthread_create(&thread, NULL, run, steps), 0);
            EQ(pthread_join(thread, NULL), 0);
        } else if (strcmp(verb, "end") == 0 && words == 1) {
            return NULL;
        } else if (strcmp(verb, "exit-value") == 0 && words == 1) {
            exit_value();
        } else if (strcmp(verb, "race") == 0 && words == 3) {
            race(number[1], number[2]);
        } else if (strcmp(verb, "sleep") == 0 && words == 2) {
            struct timespec rest = {(time_t)(number[1] / 1000), (long)(number[1] % 1000) * 1000000};
            while (nanosleep(&rest, &rest) != 0) EQ(errno, EINTR);
        } else if (strcmp(verb, "trim") == 0 && words == 1) {
            malloc_trim(0);
        } else if (strcmp(verb, "usable") == 0 && words == 2) {
            usable(group_named(word[1]));
        } else if (strcmp(verb, "dump") == 0 && words == 1) {
            if (hakmem_debug_dump != NULL) hakmem_debug_dump();
        } else if (strcmp(verb, "fork") == 0 && words == 1) {
            forked_child();
        } else if (strcmp(verb, "mark") == 0 && words == 2) {
            say("%s\n", word[1]);
        } else if (strcmp(verb, "where") == 0 && words == 2) {
            where(group_named(word[1]));
        } else if (strcmp(verb, "whose") == 0 && words == 2) {
            whose(group_named(word[1]));
        } else if (strcmp(verb, "set") == 0 && words == 3) {
            EQ(setenv(word[1], word[2], 1), 0);
        } else if (strcmp(verb, "secure") == 0 && words == 1) {
            print("value secure %lu\n", getauxval(AT_SECURE));
        } else if (strcmp(verb, "report") == 0 && words == 2) {
            report(word[1]);
        } else {
            CHECK(0, "no step is \"%s\"", step);
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    struct steps steps = {argv + 1, argv + argc};
    run(&steps);
    print("done\n");
    return 0;
}
