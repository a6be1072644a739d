/* malloc and free through frames of C calls: what a recorder costs that walks the stack.
 *
 *     cc -O2 -fno-omit-frame-pointer -fno-builtin -pthread frames.c -o frames
 *     frames [pair|churn] [OPERATIONS] [THREADS] [FRAMES]
 *
 * `pair` frees each block of 64 bytes at once; `churn` keeps 1024 blocks of 16 to 527 bytes and
 * replaces one at random. An operation is a malloc and a free. Prints nanoseconds of CPU time an
 * operation. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEEP(value) __asm__ volatile("" : : "r"(value) : "memory")

static int churns;
static long operations = 5000000, frames = 3;

__attribute__((noinline)) static void *take(long depth, size_t size) {
    void *block = depth > 1 ? take(depth - 1, size) : malloc(size);
    KEEP(block);
    return block;
}

__attribute__((noinline)) static void give(long depth, void *block) {
    if (depth > 1) {
        give(depth - 1, block);
    } else {
        free(block);
    }
    KEEP(block);
}

static void pair(void) {
    for (long i = 0; i < operations; i++) give(frames, take(frames, 64));
}

static void churn(void) {
    void *live[1024] = {0};
    uint64_t random = 88172645463325252u;
    for (long i = 0; i < operations; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        void **place = &live[random % 1024];
        if (*place != NULL) give(frames, *place);
        *place = take(frames, 16 + (random >> 20) % 512);
    }
    for (int i = 0; i < 1024; i++) free(live[i]);
}

static void *run(void *seconds) {
    struct timespec begin, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    if (churns) {
        churn();
    } else {
        pair();
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    *(double *)seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
    return NULL;
}

int main(int count, char **arguments) {
    churns = count > 1 && strcmp(arguments[1], "churn") == 0;
    if (count > 2) operations = atol(arguments[2]);
    long threads = count > 3 ? atol(arguments[3]) : 1;
    if (count > 4) frames = atol(arguments[4]);
    if (operations < 1 || threads < 1 || threads > 64 || frames < 1 || frames > 1000) return 2;
    pthread_t others[64];
    double seconds[64], sum = 0;
    for (long i = 1; i < threads; i++) {
        if (pthread_create(&others[i], NULL, run, &seconds[i]) != 0) return 1;
    }
    run(&seconds[0]);
    for (long i = 1; i < threads; i++) pthread_join(others[i], NULL);
    for (long i = 0; i < threads; i++) sum += seconds[i];
    printf("%.3f\n", sum / (double)(operations * threads) * 1e9);
    return 0;
}
