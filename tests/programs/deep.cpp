// Dies with threads in all kinds of places: in leaves, in libraries, with stacks that are aligned or grow
// as they go, in a signal handler that came in the middle of a callback of the C library's.

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static pthread_barrier_t ready;
static std::mutex mutex;
static std::condition_variable never;
static volatile long spun;
static volatile int deaf;

struct Shape {
    virtual long area(long of) = 0;
    virtual ~Shape() {}
};

struct Square : Shape {
    NOINLINE long area(long of) override {
        std::unique_lock<std::mutex> lock(mutex);
        never.wait(lock, [] { return false; });
        return of + 1;
    }
};

// More registers than are kept by calls, so that they are pushed.
NOINLINE long middle(Shape *shape, long a, long b, long c) {
    long d = a * b, e = b * c, f = c * a, g = shape->area(a + b + c);
    return a + b + c + d + e + f + g;
}

// A stack that is aligned has its frame by other rules.
NOINLINE long aligned(long of) {
    alignas(64) volatile char room[256];
    std::memset(const_cast<char *>(room), static_cast<int>(of), sizeof room);
    auto *here = reinterpret_cast<volatile char *>(&room);
    pthread_barrier_wait(&ready);
    while (!deaf) pause();
    return here[of & 255];
}

// So has one that grows.
NOINLINE long growing(long by) {
    auto *room = static_cast<volatile char *>(__builtin_alloca(static_cast<unsigned long>(by)));
    room[0] = 1;
    return by > 20 ? growing(by / 2) + room[0] : aligned(by) + room[0];
}

// A leaf that calls nothing.
NOINLINE void spin() {
    while (!deaf) spun = spun + 1;
}

NOINLINE void turn() {
    pthread_barrier_wait(&ready);
    spin();
    spun = 0;
}

NOINLINE void crash(long *at) {
    *at = 7;
    asm volatile("" ::: "memory");
}

static void handler(int) {
    crash(reinterpret_cast<long *>(8));
    deaf = 1;
}

static int compare(const void *a, const void *b) {
    int of = *static_cast<const int *>(a) - *static_cast<const int *>(b);
    if (!deaf) raise(SIGUSR1);
    return of;
}

NOINLINE void sorts() {
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof(int), compare);
    deaf = numbers[0];
}

int main() {
    pthread_barrier_init(&ready, nullptr, 4);
    std::signal(SIGUSR1, handler);
    std::thread waits([] {
        Square square;
        pthread_barrier_wait(&ready);
        return middle(&square, 1, 2, 3);
    });
    std::thread grows([] { return growing(100); });
    std::thread turns(turn);
    pthread_barrier_wait(&ready);
    usleep(100000);
    sorts();
    _exit(1);
}
