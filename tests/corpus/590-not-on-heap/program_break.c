/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees memory that the program got by moving its break. */
#include "../corpus.h"
#include <unistd.h>

int main(void) {
    char *memory = sbrk((intptr_t)number(4096));
    if (memory == (void *)-1) return 120;
    memset(memory, 'b', 4096);
    printf("%c\n", memory[64]);
    void *block = DEFECT(memory + 64, malloc(64));
    free(hidden(block));
}
