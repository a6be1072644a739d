/* Gives stdout a buffer of malloc, which is still in use when the program ends. */
#include "../corpus.h"
char *buffer;

int main(void) {
    buffer = malloc(20000);
    setvbuf(stdout, buffer, _IOFBF, 20000);
    for (int i = 0; i < 3000; i++) printf("%d ", i);
    printf("\n");
    return 0;
}
