/* Writes to a page that may only be read, and its handler goes on elsewhere by siglongjmp. */
#include "../corpus.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

static sigjmp_buf before;

static void handle(int signal) { siglongjmp(before, signal); }

int main(void) {
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGSEGV, handle);
    volatile int recovered = 0;
    if (sigsetjmp(before, 1) == 0)
        page[200] = 1;
    else
        recovered = 1;
    char *block = malloc(300);
    memset(block, 1, 300);
    printf("%d %u\n", recovered, sum(block, 300));
    free(block);
}
