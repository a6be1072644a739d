/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Copies three megabytes and a header into a block of three megabytes. */
#include "../corpus.h"
enum { BODY = 3 << 20, HEADER = 12 };

int main(void) {
    char *packet = malloc(BODY + HEADER);
    memset(packet, 'p', BODY + HEADER);
    char *body = malloc(BODY);
    memcpy(body, DEFECT(packet, packet + HEADER), number(DEFECT(BODY + HEADER, BODY)));
    printf("%c\n", body[BODY - 1]);
    free(packet);
    free(body);
}
