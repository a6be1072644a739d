/* A library that a watched program opens late. */
#include <stdlib.h>

__attribute__((noinline)) void *made_by_the_library(void) {
    void *block = malloc(48);
    __asm__ volatile("" ::: "memory");
    return block;
}
