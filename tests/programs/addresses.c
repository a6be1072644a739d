/* Says where all blocks of a program of one thread lie that allocates and frees blocks of all
 * sizes: `addresses SEED`. The same seed makes the same calls. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE = 512, CALLS = 20000 };

int main(int count, char **arguments) {
    uint64_t random = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    void *live[LIVE] = {0};
    for (int call = 0; call < CALLS; call++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        void **place = &live[(random >> 33) % LIVE];
        /* One in 64 is large, up to 4 MiB. */
        size_t size = (random >> 20) % 4096 << (random >> 58 == 0 ? 10 : 0);
        if (random >> 63 && *place != NULL) {
            *place = realloc(*place, size + 1);
        } else {
            free(*place);
            *place = malloc(size);
        }
        if (*place == NULL) return 1;
        memset(*place, 1, size < 64 ? size : 64);
        printf("%p\n", *place);
    }
    return 0;
}
