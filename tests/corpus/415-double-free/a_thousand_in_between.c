/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Thousands of blocks of all sizes are freed between the first and the second free. */
#include "../corpus.h"
int main(void) {
    char *early = malloc(number(72));
    early[3] = 'e';
    seen(early);
    free(early);
    for (size_t i = 1; i <= 3000; i++) {
        char *block = malloc(i % 1000 + 73);
        block[0] = 'b';
        seen(block);
        free(block);
    }
    free(DEFECT(hidden(early), NULL));
    printf("freed\n");
}
