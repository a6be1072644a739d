/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Connects to the second of two addresses, which goes with the list that the first one was in. */
#include "../corpus.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in *list = calloc(2, sizeof *list);
    for (int i = 0; i < 2; i++) {
        list[i].sin_family = AF_INET;
        list[i].sin_port = htons(9);
        list[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    struct sockaddr_in *second = list + 1;
    if (DEFECT(1, 0)) free(list);
    int made = socket(AF_INET, SOCK_DGRAM, 0);
    int connected = connect(made, hidden(second), sizeof *second);
    printf("%d\n", connected == 0 || connected == -1);
    close(made);
    if (DEFECT(0, 1)) free(list);
}
