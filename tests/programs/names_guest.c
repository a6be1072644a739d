/* A library that is preloaded beside hakmem: what it defines is asked instead of libc's, but for
 * functions of memory. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

int stat(const char *restrict path, struct stat *restrict status) {
    (void)path;
    status->st_size = 4242;
    return 0;
}

int connect(int socket, const struct sockaddr *address, socklen_t len) {
    (void)socket;
    (void)address;
    return (int)len;
}

int memcmp(const void *a, const void *b, size_t n) {
    (void)a;
    (void)b;
    (void)n;
    abort();
}
