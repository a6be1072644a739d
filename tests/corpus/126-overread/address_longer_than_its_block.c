/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Binds a socket to a name whose block has no more bytes than the name, and says that it is a whole
 * structure. */
#include "../corpus.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
    static const char name[] = "/proc/no/such/name";
    size_t needed = offsetof(struct sockaddr_un, sun_path) + sizeof name;
    struct sockaddr_un *address = malloc(number(needed));
    address->sun_family = AF_UNIX;
    memcpy((char *)address + offsetof(struct sockaddr_un, sun_path), name, sizeof name);
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    int bound = bind(made, hidden(address), (socklen_t)DEFECT(sizeof *address, needed));
    printf("%d\n", bound);
    close(made);
    free(address);
}
