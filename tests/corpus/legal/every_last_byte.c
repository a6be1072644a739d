/* Writes and reads each byte of blocks of all sizes to 5000, and of some larger ones. */
#include "../corpus.h"
static void use(size_t size) {
    unsigned char *block = malloc(size);
    memset(block, 0x5a, size);
    for (size_t i = 0; i < size; i += size - 1 > 0 ? size - 1 : 1) block[i] ^= 0xff;
    seen(block);
    if (size > 1 && (block[0] != 0xa5 || block[size - 1] != 0xa5)) exit(1);
    free(block);
}

int main(void) {
    for (size_t size = 1; size <= 5000; size++) use(size);
    for (size_t size = 5001; size < 5000000; size = size * 3 / 2) use(size), use(size - size % 4096);
    printf("used\n");
}
