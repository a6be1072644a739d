/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Reads a head and a body by one call, and takes for the body's room what both have together. */
#include "../corpus.h"
#include <sys/uio.h>
#include <unistd.h>
int main(void) {
    int ends[2];
    static const char text[64] = "head and body of a message";
    char *head = malloc(number(16)), *body = malloc(number(40));
    if (pipe(ends) != 0 || write(ends[1], text, sizeof text) != sizeof text) return 1;
    struct iovec places[] = {{head, 16}, {body, DEFECT(48, 40)}};
    ssize_t came = readv(ends[0], hidden(places), 2);
    printf("%d\n", came > 16);
    seen(head);
    seen(body);
    free(head);
    free(body);
    close(ends[0]);
    close(ends[1]);
}
