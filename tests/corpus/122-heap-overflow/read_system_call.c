/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Has the kernel read more from a pipe into a block than it holds. */
#include "../corpus.h"
#include <unistd.h>

int main(void) {
    int ends[2];
    char block[128];
    memset(block, 'x', sizeof block);
    if (pipe(ends) != 0 || write(ends[1], block, sizeof block) != sizeof block) return 120;
    char *buffer = malloc(number(100));
    ssize_t length = read(ends[0], buffer, number(DEFECT(128, 100)));
    printf("%c %d\n", buffer[0], length > 0);
    free(buffer);
}
