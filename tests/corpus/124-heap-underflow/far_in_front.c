/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Steps back over a header that its block does not have: far below the first block that there is. */
#include "../corpus.h"
struct header {
    unsigned magic;
    char padding[180];
    unsigned checksum;
};

static void seal(char *payload, unsigned checksum) {
    struct header *header = (struct header *)payload - 1;
    header->magic = 0x5ea1;
    header->checksum = checksum;
}

int main(void) {
    char *block = malloc(DEFECT(0, sizeof(struct header)) + number(96));
    char *payload = block + DEFECT(0, sizeof(struct header));
    memset(payload, 'p', 96);
    seal(payload, sum(payload, 96));
    printf("%c\n", payload[1]);
    free(block);
}
