/* Writes to a page that it has protected itself, and its handler for SIGSEGV makes it
 * writable. */
#include "../corpus.h"
#include <signal.h>
#include <sys/mman.h>

static char *page;
static volatile int faults;

static void handle(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if ((char *)info->si_addr < page || (char *)info->si_addr >= page + 8192) _Exit(9);
    faults++;
    mprotect(page, 8192, PROT_READ | PROT_WRITE);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 5; i++) {
        mprotect(page, 8192, PROT_READ);
        *(volatile char *)(page + 100 * i) = 1;
    }
    printf("%d\n", faults);
    munmap(page, 8192);
}
