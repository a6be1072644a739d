/* Each function that reads or writes memory, at the end of a block and over it.
 *
 *     memory_functions list                                the names of the functions
 *     memory_functions right                               all of them, in blocks of all sizes, right
 *     memory_functions cancelled                           a thread, in the middle of a read
 *     memory_functions asked                               what a library beside this one has defined
 *     memory_functions overlap                             a memcpy of ranges that overlap, twice
 *     memory_functions over|freed|front FUNCTION SIZE OFFSET   one of them, wrong
 *
 * A function is called by `use_FUNCTION`, with `block` (so many bytes of a block of the heap, at an
 * offset) and `n`, the bytes of it that the function is to touch. `other` has more of them. What
 * strings are long is up to `n`: their end is the last byte. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <wchar.h>

#define MOST ((size_t)4 << 20)

static char other[MOST];
static volatile size_t sink;

extern void *__memcpy_chk(void *, const void *, size_t, size_t);
extern void *__memmove_chk(void *, const void *, size_t, size_t);
extern void *__mempcpy_chk(void *, const void *, size_t, size_t);
extern void *__memset_chk(void *, int, size_t, size_t);
extern char *__strcpy_chk(char *, const char *, size_t);
extern char *__stpcpy_chk(char *, const char *, size_t);
extern char *__strncpy_chk(char *, const char *, size_t, size_t);
extern char *__stpncpy_chk(char *, const char *, size_t, size_t);
extern char *__strcat_chk(char *, const char *, size_t);
extern char *__strncat_chk(char *, const char *, size_t, size_t);
extern wchar_t *__wcscpy_chk(wchar_t *, const wchar_t *, size_t);
extern wchar_t *__wcsncpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wcscat_chk(wchar_t *, const wchar_t *, size_t);
extern wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t);
extern wchar_t *__wmemset_chk(wchar_t *, wchar_t, size_t, size_t);
extern int __sprintf_chk(char *, int, size_t, const char *, ...);
extern int __snprintf_chk(char *, size_t, int, size_t, const char *, ...);
extern int __vsprintf_chk(char *, int, size_t, const char *, va_list);
extern int __vsnprintf_chk(char *, size_t, int, size_t, const char *, va_list);

extern ssize_t __read_chk(int, void *, size_t, size_t);
extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
extern size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
extern char *__fgets_chk(char *, size_t, int, FILE *);

extern ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
extern ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);
extern ssize_t __readlink_chk(const char *, char *, size_t, size_t);
extern ssize_t __readlinkat_chk(int, const char *, char *, size_t, size_t);
extern char *__getcwd_chk(char *, size_t, size_t);
extern int __xstat(int, const char *, struct stat *);
extern int __xstat64(int, const char *, struct stat64 *);
extern int __lxstat(int, const char *, struct stat *);
extern int __lxstat64(int, const char *, struct stat64 *);
extern int __fxstat(int, int, struct stat *);
extern int __fxstat64(int, int, struct stat64 *);
extern int __fxstatat(int, int, const char *, struct stat *, int);
extern int __fxstatat64(int, int, const char *, struct stat64 *, int);
extern char **environ;

/* What the compiler has no room for: it knows none. */
#define ANY ((size_t)-1)

/* A string of n bytes with its end, and a wide one. */
static char *string(size_t n) {
    memset(other, 'o', n);
    other[n - 1] = 0;
    return other;
}

static wchar_t *wide(size_t n) {
    wmemset((wchar_t *)other, L'o', n / 4);
    ((wchar_t *)other)[n / 4 - 1] = 0;
    return (wchar_t *)other;
}

/* A file of n bytes, all of one line, to be read from its start; and a socket that they come from. */
static FILE *file(size_t n) {
    static FILE *kept;
    if (kept == NULL) kept = tmpfile();
    rewind(kept);
    memset(other, 'o', n);
    if (fwrite(other, 1, n, kept) != n || fflush(kept) != 0) exit(2);
    rewind(kept);
    return kept;
}

static int incoming(size_t n) {
    static int pair[2];
    if (pair[1] == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) exit(2);
    memset(other, 'o', n);
    if (send(pair[0], other, n, 0) != (ssize_t)n) exit(2);
    return pair[1];
}
/* What one packet may have. */
#define PACKET(n) ((n) < 50000 ? (n) : 50000)

/* The place of n bytes as the second one of a list, and where it goes. */
static struct iovec *after_two(char *block, size_t n) {
    static struct iovec list[2];
    list[0] = (struct iovec){other, 2};
    list[1] = (struct iovec){block, n};
    return list;
}

static struct msghdr *message(char *block, size_t n) {
    static struct msghdr message;
    message.msg_iov = after_two(block, n);
    message.msg_iovlen = 2;
    return &message;
}

static int nowhere(void) {
    static int kept = -1;
    if (kept == -1) kept = open("/dev/null", O_RDWR);
    return kept;
}

static int closed(int opened) {
    if (opened >= 0) close(opened);
    return opened;
}

static int ended(FILE *stream, int (*end)(FILE *)) { return stream == NULL ? 0 : end(stream); }

static int entered(DIR *directory) { return directory == NULL ? 0 : closedir(directory); }

/* The last so many of n bytes of a block; of fewer there is another place. */
#define LAST(bytes) ((void *)(n < (bytes) ? elsewhere : block + n - (bytes)))
static char elsewhere[4096];
#define LAST_OF(type) ((type *)LAST(sizeof(type)))

static void freed_names(struct dirent **names, int count) {
    if (count < 0) return;
    while (count > 0) free(names[--count]);
    free(names);
}

static int scanned(int (*scan)(const char *, struct dirent ***, int (*)(const struct dirent *),
                               int (*)(const struct dirent **, const struct dirent **)),
                   const char *path) {
    struct dirent **names;
    int count = scan(path, &names, NULL, NULL);
    freed_names(names, count);
    return count;
}

/* A socket of the loopback that has a name, and one that it is connected with. */
static int named_socket(void) {
    static int kept = -1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    if (kept != -1) return kept;
    kept = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(kept, (struct sockaddr *)&here, len) != 0 || getsockname(kept, (struct sockaddr *)&here, &len) != 0) exit(2);
    if (connect(kept, (struct sockaddr *)&here, len) != 0) exit(2);
    return kept;
}

static int waiting_connection(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    static int listener = -1, caller = -1;
    if (listener == -1) {
        listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&here, len) != 0 || listen(listener, 4) != 0) exit(2);
    }
    if (caller != -1) close(caller);
    caller = socket(AF_INET, SOCK_STREAM, 0);
    if (getsockname(listener, (struct sockaddr *)&here, &len) != 0) exit(2);
    if (connect(caller, (struct sockaddr *)&here, len) != 0) exit(2);
    return listener;
}

static socklen_t *room(socklen_t bytes) {
    static socklen_t kept;
    kept = bytes;
    return &kept;
}

static int ready(void) {
    static int kept = -1;
    int pipes[2];
    struct epoll_event event = {.events = EPOLLOUT};
    if (kept != -1) return kept;
    kept = epoll_create1(0);
    if (pipe(pipes) != 0 || epoll_ctl(kept, EPOLL_CTL_ADD, pipes[1], &event) != 0) exit(2);
    return kept;
}

static void child(void) {
    if (fork() == 0) _exit(0);
}

static const struct timespec a_moment = {0, 1};

static char **arguments_of(char *text) {
    static char *list[3];
    list[0] = "program";
    list[1] = text;
    return list;
}

static void closed_pair(const void *pair) {
    const volatile int *both = pair;
    close(both[0]);
    close(both[1]);
}

static size_t directory(void) {
    char path[4096];
    return getcwd(path, sizeof path) == NULL ? 1 : strlen(path) + 1;
}

static struct mmsghdr *messages(char *block, size_t n) {
    static struct mmsghdr list;
    list.msg_hdr = *message(block, n);
    return &list;
}

/* Prints n bytes with the end through a function that takes a va_list. */
#define VARIADIC(name, call)                                                                 \
    __attribute__((noinline)) static void pass_##name(char *block, size_t n, const char *format, ...) { \
        va_list list;                                                                        \
        (void)n;                                                                             \
        va_start(list, format);                                                              \
        call;                                                                                \
        va_end(list);                                                                        \
    }
VARIADIC(vsprintf, vsprintf(block, format, list))
VARIADIC(vsnprintf, vsnprintf(block, n, format, list))
VARIADIC(__vsprintf_chk, __vsprintf_chk(block, 0, ANY, format, list))
VARIADIC(__vsnprintf_chk, __vsnprintf_chk(block, n, 0, ANY, format, list))

/* The pattern behind a block is the least of all: sorted, it stays where it is. */
static int falling(const void *a, const void *b) {
    int one, other;
    memcpy(&one, a, 4);
    memcpy(&other, b, 4);
    return one < other ? 1 : one > other ? -1 : 0;
}

static int falling_r(const void *a, const void *b, void *unused) {
    (void)unused;
    return falling(a, b);
}

/* F(name, unit, writes, reads a string, code) */
#define FUNCTIONS(F)                                                                         \
    F(memcpy, 1, 1, 0, memcpy(block, other, n))                                              \
    F(memmove, 1, 1, 0, memmove(block, other, n))                                            \
    F(mempcpy, 1, 1, 0, sink = (char *)mempcpy(block, other, n) - block)                     \
    F(bcopy, 1, 1, 0, bcopy(other, block, n))                                                \
    F(memset, 1, 1, 0, memset(block, 's', n))                                                \
    F(bzero, 1, 1, 0, bzero(block, n))                                                       \
    F(explicit_bzero, 1, 1, 0, explicit_bzero(block, n))                                     \
    F(memcmp, 1, 0, 0, memset(other, 'x', n); sink = memcmp(other, block, n))                \
    F(bcmp, 1, 0, 0, memset(other, 'x', n); sink = bcmp(block, other, n))                    \
    F(memchr, 1, 0, 0, sink = memchr(block, 'm', n) != NULL)                                 \
    F(memrchr, 1, 0, 0, sink = memrchr(block, 'm', n) != NULL)                               \
    F(rawmemchr, 1, 0, 1, sink = (char *)rawmemchr(block, 0) - block)                        \
    F(strlen, 1, 0, 1, sink = strlen(block))                                                 \
    F(strnlen, 1, 0, 0, sink = strnlen(block, n))                                            \
    F(strchr, 1, 0, 1, sink = strchr(block, 'c') != NULL)                                    \
    F(index, 1, 0, 1, sink = index(block, 'c') != NULL)                                      \
    F(strchrnul, 1, 0, 1, sink = strchrnul(block, 'c') - block)                              \
    F(strrchr, 1, 0, 1, sink = strrchr(block, 'c') != NULL)                                  \
    F(rindex, 1, 0, 1, sink = rindex(block, 'c') != NULL)                                    \
    F(strcmp, 1, 0, 1, memset(other, 'x', n); other[n - 1] = 0; sink = strcmp(block, n > size ? memset(other, 'x', n) : other)) \
    F(strncmp, 1, 0, 0, memset(other, 'x', n); sink = strncmp(other, block, n))              \
    F(strcpy, 1, 1, 0, strcpy(block, string(n)))                                             \
    F(stpcpy, 1, 1, 0, sink = stpcpy(block, string(n)) - block)                              \
    F(strncpy, 1, 1, 0, strncpy(block, "short", n))                                          \
    F(stpncpy, 1, 1, 0, sink = stpncpy(block, "short", n) - block)                           \
    F(strcat, 1, 1, 2, strcat(block, string(n - 2)))                                         \
    F(strncat, 1, 1, 2, memset(other, 'o', n); strncat(block, other, n - 3))                 \
    F(strdup, 1, 0, 1, free(strdup(block)))                                                  \
    F(strndup, 1, 0, 0, free(strndup(block, n)))                                             \
    F(wcslen, 4, 0, 1, sink = wcslen((wchar_t *)block))                                      \
    F(wcscpy, 4, 1, 0, wcscpy((wchar_t *)block, wide(n)))                                    \
    F(wcsncpy, 4, 1, 0, wcsncpy((wchar_t *)block, L"short", n / 4))                          \
    F(wcscat, 4, 1, 2, wcscat((wchar_t *)block, wide(n - 8)))                                \
    F(wmemcpy, 4, 1, 0, wmemcpy((wchar_t *)block, (wchar_t *)other, n / 4))                  \
    F(wmemmove, 4, 1, 0, wmemmove((wchar_t *)block, (wchar_t *)other, n / 4))                \
    F(wmemset, 4, 1, 0, wmemset((wchar_t *)block, L's', n / 4))                              \
    F(__memcpy_chk, 1, 1, 0, __memcpy_chk(block, other, n, ANY))                             \
    F(__memmove_chk, 1, 1, 0, __memmove_chk(block, other, n, ANY))                           \
    F(__mempcpy_chk, 1, 1, 0, __mempcpy_chk(block, other, n, ANY))                           \
    F(__memset_chk, 1, 1, 0, __memset_chk(block, 's', n, ANY))                               \
    F(__strcpy_chk, 1, 1, 0, __strcpy_chk(block, string(n), ANY))                            \
    F(__stpcpy_chk, 1, 1, 0, __stpcpy_chk(block, string(n), ANY))                            \
    F(__strncpy_chk, 1, 1, 0, __strncpy_chk(block, "short", n, ANY))                         \
    F(__stpncpy_chk, 1, 1, 0, __stpncpy_chk(block, "short", n, ANY))                         \
    F(__strcat_chk, 1, 1, 2, __strcat_chk(block, string(n - 2), ANY))                        \
    F(__strncat_chk, 1, 1, 2, __strncat_chk(block, string(n - 2), n, ANY))                   \
    F(__wcscpy_chk, 4, 1, 0, __wcscpy_chk((wchar_t *)block, wide(n), ANY))                   \
    F(__wcsncpy_chk, 4, 1, 0, __wcsncpy_chk((wchar_t *)block, L"short", n / 4, ANY))         \
    F(__wcscat_chk, 4, 1, 2, __wcscat_chk((wchar_t *)block, wide(n - 8), ANY))               \
    F(__wmemcpy_chk, 4, 1, 0, __wmemcpy_chk((wchar_t *)block, (wchar_t *)other, n / 4, ANY)) \
    F(__wmemmove_chk, 4, 1, 0, __wmemmove_chk((wchar_t *)block, (wchar_t *)other, n / 4, ANY)) \
    F(__wmemset_chk, 4, 1, 0, __wmemset_chk((wchar_t *)block, L's', n / 4, ANY))             \
    F(sprintf, 1, 1, 0, sprintf(block, "%s%.1f", string(n - 3), 0.5))                        \
    F(snprintf, 1, 1, 0, snprintf(block, n, "%s%.1f", string(n - 3), 0.5))                   \
    F(vsprintf, 1, 1, 0, pass_vsprintf(block, n, "%s%.1f", string(n - 3), 0.5))              \
    F(vsnprintf, 1, 1, 0, pass_vsnprintf(block, n, "%s%.1f", string(n - 3), 0.5))            \
    F(__sprintf_chk, 1, 1, 0, __sprintf_chk(block, 0, ANY, "%s%.1f", string(n - 3), 0.5))    \
    F(__snprintf_chk, 1, 1, 0, __snprintf_chk(block, n, 0, ANY, "%s%.1f", string(n - 3), 0.5)) \
    F(__vsprintf_chk, 1, 1, 0, pass___vsprintf_chk(block, n, "%s%.1f", string(n - 3), 0.5))  \
    F(__vsnprintf_chk, 1, 1, 0, pass___vsnprintf_chk(block, n, "%s%.1f", string(n - 3), 0.5)) \
    F(read, 1, 1, 0, sink = read(fileno(file(n)), block, n))                                 \
    F(__read_chk, 1, 1, 0, sink = __read_chk(fileno(file(n)), block, n, ANY))                \
    F(fread, 1, 1, 0, sink = fread(block, 1, n, file(n)))                                    \
    F(__fread_chk, 1, 1, 0, sink = __fread_chk(block, ANY, 1, n, file(n)))                   \
    F(fgets, 1, 1, 0, sink = fgets(block, n, file(n - 1)) != NULL)                           \
    F(__fgets_chk, 1, 1, 0, sink = __fgets_chk(block, ANY, n, file(n - 1)) != NULL)          \
    F(recv, 1, 1, 0, sink = recv(incoming(PACKET(n)), block, n, 0))                          \
    F(__recv_chk, 1, 1, 0, sink = __recv_chk(incoming(PACKET(n)), block, n, ANY, 0))         \
    F(recvfrom, 1, 1, 0, sink = recvfrom(incoming(PACKET(n)), block, n, 0, NULL, NULL))      \
    F(write, 1, 0, 0, sink = write(nowhere(), block, n))                                     \
    F(pwrite, 1, 0, 0, sink = pwrite(nowhere(), block, n, 0))                                \
    F(send, 1, 0, 0, sink = send(nowhere(), block, n, 0))                                    \
    F(fwrite, 1, 0, 0, sink = fwrite(block, 1, n, file(1)))                                  \
    F(pwrite64, 1, 0, 0, sink = pwrite64(nowhere(), block, n, 0))                            \
    F(sendto, 1, 0, 0, sink = sendto(nowhere(), block, n, 0, NULL, 0))                       \
    F(writev, 1, 0, 0, sink = writev(nowhere(), after_two(block, n), 2))                     \
    F(pwritev, 1, 0, 0, sink = pwritev(nowhere(), after_two(block, n), 2, 0))                \
    F(pwritev64, 1, 0, 0, sink = pwritev64(nowhere(), after_two(block, n), 2, 0))            \
    F(sendmsg, 1, 0, 0, sink = sendmsg(nowhere(), message(block, n), 0))                     \
    F(open, 1, 0, 1, sink = closed(open(block, O_RDONLY)))                                   \
    F(open64, 1, 0, 1, sink = closed(open64(block, O_RDONLY)))                               \
    F(openat, 1, 0, 1, sink = closed(openat(AT_FDCWD, block, O_RDONLY)))                     \
    F(openat64, 1, 0, 1, sink = closed(openat64(AT_FDCWD, block, O_RDONLY)))                 \
    F(fopen, 1, 0, 1, sink = ended(fopen(block, "r"), fclose))                               \
    F(fopen64, 1, 0, 1, sink = ended(fopen64(block, "r"), fclose))                           \
    F(opendir, 1, 0, 1, sink = entered(opendir(block)))                                      \
    F(popen, 1, 0, 1, sink = ended(popen(block, "r"), pclose))                               \
    F(system, 1, 0, 1, sink = system(block))                                                 \
    F(creat, 1, 0, 1, sink = closed(creat(block, 0600)))                                     \
    F(creat64, 1, 0, 1, sink = closed(creat64(block, 0600)))                                 \
    F(access, 1, 0, 1, sink = access(block, R_OK))                                           \
    F(eaccess, 1, 0, 1, sink = eaccess(block, R_OK))                                         \
    F(euidaccess, 1, 0, 1, sink = euidaccess(block, R_OK))                                   \
    F(faccessat, 1, 0, 1, sink = faccessat(AT_FDCWD, block, R_OK, 0))                        \
    F(unlink, 1, 0, 1, sink = unlink(block))                                                 \
    F(unlinkat, 1, 0, 1, sink = unlinkat(AT_FDCWD, block, 0))                                \
    F(remove, 1, 0, 1, sink = remove(block))                                                 \
    F(rmdir, 1, 0, 1, sink = rmdir(block))                                                   \
    F(rename, 1, 0, 1, sink = rename("none", block))                                         \
    F(renameat, 1, 0, 1, sink = renameat(AT_FDCWD, "none", AT_FDCWD, block))                 \
    F(renameat2, 1, 0, 1, sink = renameat2(AT_FDCWD, block, AT_FDCWD, "none", 0))            \
    F(link, 1, 0, 1, sink = link("none", block))                                             \
    F(linkat, 1, 0, 1, sink = linkat(AT_FDCWD, block, AT_FDCWD, "none", 0))                  \
    F(symlink, 1, 0, 1, sink = symlink(block, "none"))                                       \
    F(symlinkat, 1, 0, 1, sink = symlinkat("none", AT_FDCWD, block))                         \
    F(mkdir, 1, 0, 1, sink = mkdir(block, 0700))                                             \
    F(mkdirat, 1, 0, 1, sink = mkdirat(AT_FDCWD, block, 0700))                               \
    F(mkfifo, 1, 0, 1, sink = mkfifo(block, 0600))                                           \
    F(mkfifoat, 1, 0, 1, sink = mkfifoat(AT_FDCWD, block, 0600))                             \
    F(mknod, 1, 0, 1, sink = mknod(block, S_IFIFO, 0))                                       \
    F(mknodat, 1, 0, 1, sink = mknodat(AT_FDCWD, block, S_IFIFO, 0))                         \
    F(chdir, 1, 0, 1, sink = chdir(block))                                                   \
    F(chroot, 1, 0, 1, sink = chroot(block))                                                 \
    F(chmod, 1, 0, 1, sink = chmod(block, 0600))                                             \
    F(fchmodat, 1, 0, 1, sink = fchmodat(AT_FDCWD, block, 0600, 0))                          \
    F(chown, 1, 0, 1, sink = chown(block, 0, 0))                                             \
    F(lchown, 1, 0, 1, sink = lchown(block, 0, 0))                                           \
    F(fchownat, 1, 0, 1, sink = fchownat(AT_FDCWD, block, 0, 0, 0))                          \
    F(truncate, 1, 0, 1, sink = truncate(block, 0))                                          \
    F(truncate64, 1, 0, 1, sink = truncate64(block, 0))                                      \
    F(statvfs, 1, 0, 1, sink = statvfs(block, &(struct statvfs){0}))                         \
    F(statvfs64, 1, 0, 1, sink = statvfs64(block, &(struct statvfs64){0}))                   \
    F(pathconf, 1, 0, 1, sink = pathconf(block, _PC_NAME_MAX))                               \
    F(scandir, 1, 0, 1, sink = scanned(scandir, block))                                      \
    F(inotify_add_watch, 1, 0, 1, sink = inotify_add_watch(-1, block, IN_CREATE))            \
    F(memfd_create, 1, 0, 1, sink = closed(memfd_create(block, 0)))                          \
    F(getxattr, 1, 0, 1, sink = getxattr(block, "user.none", NULL, 0))                       \
    F(lgetxattr, 1, 0, 1, sink = lgetxattr("none", block, NULL, 0))                          \
    F(fgetxattr, 1, 0, 1, sink = fgetxattr(nowhere(), block, NULL, 0))                       \
    F(setxattr, 1, 0, 1, sink = setxattr(block, "user.none", NULL, 0, 0))                    \
    F(lsetxattr, 1, 0, 1, sink = lsetxattr("none", block, NULL, 0, 0))                       \
    F(fsetxattr, 1, 0, 1, sink = fsetxattr(nowhere(), block, NULL, 0, 0))                    \
    F(listxattr, 1, 0, 1, sink = listxattr(block, NULL, 0))                                  \
    F(llistxattr, 1, 0, 1, sink = llistxattr(block, NULL, 0))                                \
    F(removexattr, 1, 0, 1, sink = removexattr(block, "user.none"))                          \
    F(lremovexattr, 1, 0, 1, sink = lremovexattr("none", block))                             \
    F(fremovexattr, 1, 0, 1, sink = fremovexattr(nowhere(), block))                          \
    F(mount, 1, 0, 1, sink = mount(block, "none", "none", 0, NULL))                          \
    F(umount, 1, 0, 1, sink = umount(block))                                                 \
    F(umount2, 1, 0, 1, sink = umount2(block, 0))                                            \
    F(execv, 1, 0, 1, sink = execv(block, arguments_of(NULL)))                               \
    F(execve, 1, 0, 1, sink = execve("none", arguments_of(block), environ))                  \
    F(execvp, 1, 0, 1, sink = execvp(block, arguments_of(NULL)))                             \
    F(execvpe, 1, 0, 1, sink = execvpe("none", arguments_of(block), environ))     \
    F(fexecve, 1, 0, 1, sink = fexecve(nowhere(), arguments_of(block), environ))             \
    F(execl, 1, 0, 1, sink = execl("none", block, NULL))                                     \
    F(execlp, 1, 0, 1, sink = execlp("none", "none", block, NULL))                           \
    F(execle, 1, 0, 1, sink = execle(block, "none", NULL, environ))                          \
    F(posix_spawn, 1, 0, 1, sink = posix_spawn(&(pid_t){0}, block, NULL, NULL, arguments_of(NULL), environ)) \
    F(posix_spawnp, 1, 0, 1, sink = posix_spawnp(&(pid_t){0}, "none", NULL, NULL, arguments_of(block), environ)) \
    F(scandir64, 1, 0, 1, struct dirent64 **names; sink = scandir64(block, &names, NULL, NULL)) \
    F(freopen, 1, 0, 1, sink = ended(freopen(block, "r", fopen("/dev/null", "r")), fclose))  \
    F(freopen64, 1, 0, 1, sink = ended(freopen64(block, "r", fopen("/dev/null", "r")), fclose)) \
    F(connect, 1, 0, 0, sink = connect(named_socket(), LAST(16), 16))                        \
    F(bind, 1, 0, 0, sink = bind(named_socket(), LAST(16), 16))                              \
    F(setsockopt, 1, 0, 0, sink = setsockopt(named_socket(), SOL_SOCKET, SO_LINGER, LAST(8), 8)) \
    F(clock_settime, 1, 0, 0, sink = clock_settime(CLOCK_MONOTONIC, LAST(16)))               \
    F(utime, 1, 0, 0, sink = utime("none", LAST(16)))                                        \
    F(utimes, 1, 0, 0, sink = utimes("none", LAST(32)))                                      \
    F(lutimes, 1, 0, 0, sink = lutimes("none", LAST(32)))                                    \
    F(futimes, 1, 0, 0, sink = futimes(-1, LAST(32)))                                        \
    F(futimens, 1, 0, 0, sink = futimens(-1, LAST(32)))                                      \
    F(futimesat, 1, 0, 0, sink = futimesat(AT_FDCWD, "none", LAST(32)))                      \
    F(utimensat, 1, 0, 0, sink = utimensat(AT_FDCWD, "none", LAST(32), 0))                   \
    F(setrlimit, 1, 0, 0, sink = setrlimit(RLIMIT_CORE, LAST(16))) \
    F(setrlimit64, 1, 0, 0, sink = setrlimit64(RLIMIT_CORE, LAST(16))) \
    F(epoll_ctl, 1, 0, 0, sink = epoll_ctl(-1, EPOLL_CTL_ADD, 0, LAST(12)))                  \
    F(setgroups, 1, 0, 0, sink = setgroups(1, LAST(4)))                                      \
    F(sched_setaffinity, 1, 0, 0, sink = sched_setaffinity(-1, 8, LAST(8)))                  \
    F(semop, 1, 0, 0, sink = semop(-1, LAST(6), 1))                                          \
    F(msgsnd, 1, 0, 0, sink = msgsnd(-1, block, n - 8, 0))                                   \
    F(poll, 1, 1, 0, sink = poll(LAST(8), 1, 0))                                             \
    F(ppoll, 1, 1, 0, sink = ppoll(LAST(8), 1, &a_moment, NULL))                             \
    F(select, 1, 0, 0, sink = select(64, LAST(8), NULL, NULL, &(struct timeval){0}))         \
    F(nanosleep, 1, 0, 0, sink = nanosleep(LAST(16), NULL))                                  \
    F(clock_nanosleep, 1, 0, 0, sink = clock_nanosleep(CLOCK_MONOTONIC, 0, LAST(16), NULL))  \
    F(setitimer, 1, 0, 0, sink = setitimer(ITIMER_PROF, LAST(32), NULL))                     \
    F(timer_settime, 1, 0, 0, sink = timer_settime(0, 0, LAST(32), NULL))                    \
    F(timerfd_settime, 1, 0, 0, sink = timerfd_settime(-1, 0, LAST(32), NULL))               \
    F(sendmmsg, 1, 0, 0, sink = sendmmsg(nowhere(), messages(block, n), 1, 0))               \
    F(stat, 1, 1, 0, sink = stat("/", LAST_OF(struct stat)))                                 \
    F(lstat, 1, 1, 0, sink = lstat("/", LAST_OF(struct stat)))                               \
    F(fstat, 1, 1, 0, sink = fstat(nowhere(), LAST_OF(struct stat)))                         \
    F(fstatat, 1, 1, 0, sink = fstatat(AT_FDCWD, "/", LAST_OF(struct stat), 0))              \
    F(__xstat, 1, 1, 0, sink = __xstat(1, "/", LAST_OF(struct stat)))                        \
    F(__lxstat, 1, 1, 0, sink = __lxstat(1, "/", LAST_OF(struct stat)))                      \
    F(__fxstat, 1, 1, 0, sink = __fxstat(1, nowhere(), LAST_OF(struct stat)))                \
    F(__fxstatat, 1, 1, 0, sink = __fxstatat(1, AT_FDCWD, "/", LAST_OF(struct stat), 0))     \
    F(statfs, 1, 1, 0, sink = statfs("/", LAST_OF(struct statfs)))                           \
    F(fstatfs, 1, 1, 0, sink = fstatfs(nowhere(), LAST_OF(struct statfs)))                   \
    F(getrlimit, 1, 1, 0, sink = getrlimit(RLIMIT_CORE, LAST(16)))                           \
    F(prlimit, 1, 1, 0, sink = prlimit(0, RLIMIT_CORE, NULL, LAST(16)))                      \
    F(pread, 1, 1, 0, sink = pread(fileno(file(n)), block, n, 0))                            \
    F(__pread_chk, 1, 1, 0, sink = __pread_chk(fileno(file(n)), block, n, 0, ANY))           \
    F(preadv, 1, 1, 0, sink = preadv(fileno(file(n + 2)), after_two(block, n), 2, 0))        \
    F(stat64, 1, 1, 0, sink = stat64("/", LAST_OF(struct stat64)))                           \
    F(lstat64, 1, 1, 0, sink = lstat64("/", LAST_OF(struct stat64)))                         \
    F(fstat64, 1, 1, 0, sink = fstat64(nowhere(), LAST_OF(struct stat64)))                   \
    F(fstatat64, 1, 1, 0, sink = fstatat64(AT_FDCWD, "/", LAST_OF(struct stat64), 0))        \
    F(__xstat64, 1, 1, 0, sink = __xstat64(1, "/", LAST_OF(struct stat64)))                  \
    F(__lxstat64, 1, 1, 0, sink = __lxstat64(1, "/", LAST_OF(struct stat64)))                \
    F(__fxstat64, 1, 1, 0, sink = __fxstat64(1, nowhere(), LAST_OF(struct stat64)))          \
    F(__fxstatat64, 1, 1, 0, sink = __fxstatat64(1, AT_FDCWD, "/", LAST_OF(struct stat64), 0)) \
    F(statfs64, 1, 1, 0, sink = statfs64("/", LAST_OF(struct statfs64)))                     \
    F(fstatfs64, 1, 1, 0, sink = fstatfs64(nowhere(), LAST_OF(struct statfs64)))             \
    F(getrlimit64, 1, 1, 0, sink = getrlimit64(RLIMIT_CORE, LAST(16)))                       \
    F(prlimit64, 1, 1, 0, sink = prlimit64(0, RLIMIT_CORE, NULL, LAST(16)))                  \
    F(pread64, 1, 1, 0, sink = pread64(fileno(file(n)), block, n, 0))                        \
    F(__pread64_chk, 1, 1, 0, sink = __pread64_chk(fileno(file(n)), block, n, 0, ANY))       \
    F(preadv64, 1, 1, 0, sink = preadv64(fileno(file(n + 2)), after_two(block, n), 2, 0))    \
    F(readv, 1, 1, 0, sink = readv(fileno(file(n + 2)), after_two(block, n), 2))             \
    F(recvmsg, 1, 1, 0, sink = recvmsg(incoming(PACKET(n) + 2), message(block, n), 0))       \
    F(statx, 1, 1, 0, sink = statx(AT_FDCWD, "/", 0, STATX_ALL, LAST_OF(struct statx)))      \
    F(uname, 1, 1, 0, sink = uname(LAST_OF(struct utsname)))                                 \
    F(sysinfo, 1, 1, 0, sink = sysinfo(LAST_OF(struct sysinfo)))                             \
    F(times, 1, 1, 0, sink = times(LAST_OF(struct tms)) == 0)                                \
    F(getrusage, 1, 1, 0, sink = getrusage(RUSAGE_SELF, LAST_OF(struct rusage)))             \
    F(getitimer, 1, 1, 0, sink = getitimer(ITIMER_PROF, LAST_OF(struct itimerval)))          \
    F(pipe, 1, 1, 0, sink = pipe(LAST(8)); closed_pair(LAST(8)))                             \
    F(pipe2, 1, 1, 0, sink = pipe2(LAST(8), 0); closed_pair(LAST(8)))                        \
    F(socketpair, 1, 1, 0, sink = socketpair(AF_UNIX, SOCK_STREAM, 0, LAST(8)); closed_pair(LAST(8))) \
    F(waitpid, 1, 1, 0, child(); sink = waitpid(-1, LAST(4), 0))                             \
    F(wait, 1, 1, 0, child(); sink = wait(LAST(4)))                                          \
    F(wait3, 1, 1, 0, child(); sink = wait3(LAST(4), 0, NULL))                               \
    F(wait4, 1, 1, 0, child(); sink = wait4(-1, NULL, 0, LAST_OF(struct rusage)))            \
    F(getsockname, 1, 1, 0, sink = getsockname(named_socket(), LAST(16), room(16)))          \
    F(getpeername, 1, 1, 0, sink = getpeername(named_socket(), LAST(16), room(16)))          \
    F(getsockopt, 1, 1, 0, sink = getsockopt(named_socket(), SOL_SOCKET, SO_TYPE, LAST(4), room(4))) \
    F(accept, 1, 1, 0, sink = closed(accept(waiting_connection(), LAST(16), room(16))))      \
    F(accept4, 1, 1, 0, sink = closed(accept4(waiting_connection(), LAST(16), room(16), 0))) \
    F(epoll_wait, 1, 1, 0, sink = epoll_wait(ready(), LAST(12), 1, 0))                       \
    F(epoll_pwait, 1, 1, 0, sink = epoll_pwait(ready(), LAST(12), 1, 0, NULL))               \
    F(readlink, 1, 1, 0, sink = readlink("/proc/self/root", LAST(1), 1))                     \
    F(readlinkat, 1, 1, 0, sink = readlinkat(AT_FDCWD, "/proc/self/root", LAST(1), 1))       \
    F(__readlink_chk, 1, 1, 0, sink = __readlink_chk("/proc/self/root", LAST(1), 1, ANY))    \
    F(__readlinkat_chk, 1, 1, 0, sink = __readlinkat_chk(AT_FDCWD, "/proc/self/root", LAST(1), 1, ANY)) \
    F(getcwd, 1, 1, 0, sink = getcwd(LAST(directory()), directory()) != NULL)                \
    F(__getcwd_chk, 1, 1, 0, sink = __getcwd_chk(LAST(directory()), directory(), ANY) != NULL) \
    F(getrandom, 1, 1, 0, sink = getrandom(LAST(16), 16, 0))                                 \
    F(getentropy, 1, 1, 0, sink = getentropy(LAST(16), 16))                                  \
    F(qsort, 4, 1, 0, qsort(block, n / 4, 4, falling))                                       \
    F(qsort_r, 4, 1, 0, qsort_r(block, n / 4, 4, falling_r, &sink))

#define DEFINE(name, unit, writes, string, code)                                             \
    __attribute__((noinline)) static void use_##name(char *block, size_t size, size_t n) {   \
        (void)size;                                                                          \
        (void)n;                                                                             \
        code;                                                                                \
        sink++;                                                                              \
    }
FUNCTIONS(DEFINE)

static const struct {
    const char *name;
    size_t unit;
    int writes, string;
    void (*use)(char *, size_t, size_t);
} functions[] = {
#define ENTRY(name, unit, writes, string, code) {#name, unit, writes, string, use_##name},
    FUNCTIONS(ENTRY)
};
#define COUNT (sizeof functions / sizeof *functions)

/* A block with room for so many bytes at an offset: 'x' up to its end, which is `end` bytes on, and
 * a short string where the function appends to one. */
static char *prepare(size_t index, size_t size, size_t offset, size_t end) {
    char *block = (char *)malloc(offset + size) + offset;
    for (size_t at = 0; at < size; at++) block[at] = 'x';
    size_t unit = functions[index].unit;
    if (end <= size && functions[index].string == 1) {
        for (size_t at = end - unit; at < end; at++) block[at] = 0;
    }
    if (functions[index].string == 2) {
        for (size_t at = 2 * unit; at < 3 * unit; at++) block[at] = 0;
    }
    return block;
}

static size_t which(const char *name) {
    for (size_t index = 0; index < COUNT; index++) {
        if (strcmp(functions[index].name, name) == 0) return index;
    }
    fprintf(stderr, "no function %s\n", name);
    exit(2);
}

static int all_right(void) {
    static const size_t sizes[] = {16, 24, 100, 128, 1000, 5000, 20000, 40000, 300000, 3 << 20};
    static const size_t offsets[] = {0, 4, 8, 20, 4096};
    for (size_t index = 0; index < COUNT; index++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++) {
                for (int whole = 0; whole <= 1; whole++) {
                    char *block = prepare(index, sizes[s], offsets[o], sizes[s]);
                    functions[index].use(block, sizes[s], whole ? sizes[s] : 16);
                    free(block - offsets[o]);
                }
            }
        }
    }
    puts("right");
    return 0;
}

static int cleaned;

static void clean(void *block) {
    free(block);
    cleaned = 1;
}

static void *wait_for_ever(void *from) {
    char *block = malloc(100);
    pthread_cleanup_push(clean, block);
    sink = read(*(int *)from, block, 100);
    pthread_cleanup_pop(0);
    return NULL;
}

static int cancelled(void) {
    int pipes[2];
    pthread_t thread;
    void *result;
    if (pipe(pipes) != 0 || pthread_create(&thread, NULL, wait_for_ever, pipes) != 0) return 1;
    pthread_cancel(thread);
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED || !cleaned) return 1;
    puts("cancelled");
    return 0;
}

__attribute__((noinline)) static void use_overlap(char *block) {
    memcpy(block + 8, block, 32);
    /* The same range is no other one: compilers copy structures so. */
    char *volatile same = block;
    memcpy(block, same, 32);
}

static int overlap(void) {
    char *block = calloc(1, 64);
    for (int round = 0; round < 2; round++) use_overlap(block);
    free(block);
    puts("went on");
    return 0;
}

/* Lists that are not there, and one whose second place is on a page that is not. */
static int refused(void) {
    int pipes[2];
    char *page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pipe(pipes) != 0 || page == MAP_FAILED || munmap(page + 4096, 4096) != 0) return 1;
    struct iovec *last = (struct iovec *)(page + 4096) - 1;
    *last = (struct iovec){"text", 4};
    if (writev(pipes[1], last, 1) != 4) return 2;
    struct iovec *lists[] = {NULL, (struct iovec *)8, (struct iovec *)-4096, last};
    for (size_t at = 0; at < sizeof lists / sizeof *lists; at++) {
        struct msghdr *message = (struct msghdr *)lists[at], of_list = {.msg_iov = lists[at], .msg_iovlen = 2};
        errno = 0;
        if (writev(pipes[1], lists[at], 2) != -1 || errno != EFAULT) return 3;
        errno = 0;
        if (pwritev(pipes[1], lists[at], 2, 0) != -1 || errno == 0) return 4;
        int sockets[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) return 5;
        errno = 0;
        if (sendmsg(sockets[0], message, 0) != -1 || errno != EFAULT) return 6;
        errno = 0;
        if (sendmsg(sockets[0], &of_list, 0) != -1 || errno != EFAULT) return 7;
    }
    puts("refused");
    return 0;
}

/* What names_guest.c says, and libc. */
static int asked(void) {
    struct stat status;
    char *block = malloc(64);
    strcpy(block, "/none");
    if (stat(block, &status) != 0) return 1;
    int connected = connect(-1, (struct sockaddr *)block, 43);
    printf("%d %d %d %d\n", (int)status.st_size, connected, (int)read(-1, block, 64), memcmp(block, "/none", 6));
    free(block);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "asked") == 0) return asked();
    if (count == 2 && strcmp(arguments[1], "refused") == 0) return refused();
    if (count == 2 && strcmp(arguments[1], "cancelled") == 0) return cancelled();
    if (count == 2 && strcmp(arguments[1], "overlap") == 0) return overlap();
    if (count == 2 && strcmp(arguments[1], "list") == 0) {
        for (size_t index = 0; index < COUNT; index++) {
            printf("%s %zu %d\n", functions[index].name, functions[index].unit, functions[index].writes);
        }
        return 0;
    }
    /* Where nobody can make a file. */
    if (chdir("/proc/self/fdinfo") != 0) return 2;
    if (count == 2 && strcmp(arguments[1], "right") == 0) return all_right();
    if (count != 5) return 2;
    size_t index = which(arguments[2]);
    size_t size = strtoul(arguments[3], NULL, 0), offset = strtoul(arguments[4], NULL, 0);
    size_t unit = functions[index].unit;
    /* What is around it is the program's as well. */
    char *below = malloc(offset + size);
    char *block = prepare(index, size, offset, strcmp(arguments[1], "over") == 0 ? size + 1 : size);
    char *above = malloc(offset + size);
    memset(below, 'b', offset + size);
    memset(above, 'a', offset + size);
    if (strcmp(arguments[1], "over") == 0) {
        functions[index].use(block, size, size + unit);
    } else if (strcmp(arguments[1], "freed") == 0) {
        free(block - offset);
        functions[index].use(block, size, size);
    } else {
        functions[index].use(block - offset - unit, size, size);
    }
    /* With HAKMEM_ON_ERROR=continue it comes here, and nothing but the block has changed. */
    for (size_t at = 0; at < offset + size; at++) {
        if (below[at] != 'b' || above[at] != 'a') return 3;
    }
    puts("went on");
    return 0;
}
