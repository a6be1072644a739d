/* A library to be preloaded after the allocator: each process that starts with
 * it appends one line to the file that WITNESS_FILE names,
 *
 *     pid <tab> executable <tab> file that defines the process's malloc
 *
 * before its main runs, in one write, without allocating. It works for programs
 * of any life, and for the children that inherit the environment. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A test that is killed takes its program with it. */
static void die_with_the_test(void) {
    const char *test = getenv("WITNESS_PARENT");
    if (test == NULL || atoi(test) != (int)getppid()) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

__attribute__((constructor)) static void testify(void) {
    const char *file = getenv("WITNESS_FILE");
    if (file == NULL) return;
    die_with_the_test();

    char executable[1024];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    executable[length > 0 ? length : 0] = 0;

    Dl_info definition = {0};
    /* Not malloc itself: in a program that is linked to a fixed address, and calls it, its
     * address is that of the program's own stub. pvalloc comes from the same file, and no
     * program calls it. */
    void *address = dlsym(RTLD_DEFAULT, "pvalloc");
    if (address == NULL || dladdr(address, &definition) == 0) definition.dli_fname = "nowhere";

    char line[3072];
    length = snprintf(line, sizeof line, "%d\t%s\t%s\n", (int)getpid(), executable,
                      definition.dli_fname);
    int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, line, (size_t)length) != length) _exit(120);
    close(fd);
}
