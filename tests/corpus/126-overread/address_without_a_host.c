/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Binds a socket to a record of a family and a port, as if it were a whole address. */
#include "../corpus.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
struct record {
    sa_family_t family;
    in_port_t port;
};
int main(void) {
    size_t room = number(DEFECT(sizeof(struct record), sizeof(struct sockaddr_in)));
    struct record *record = calloc(1, room);
    record->family = AF_INET;
    int made = socket(AF_INET, SOCK_DGRAM, 0);
    int bound = bind(made, hidden(record), sizeof(struct sockaddr_in));
    printf("%d\n", bound == 0 || bound == -1);
    close(made);
    free(record);
}
