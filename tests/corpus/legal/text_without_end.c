/* Keeps texts that fill their blocks without a terminator, and uses them with their lengths. */
#include "../corpus.h"
int main(void) {
    char *name = malloc(8), *other = malloc(8);
    strncpy(name, "eightchr", 8);
    memcpy(other, name, 8);
    printf("%.8s %d %d\n", name, strncmp(name, other, 8), (int)strnlen(other, 8));
    char *copy = strndup(name, 8);
    printf("%s\n", copy);
    free(name), free(other), free(copy);
}
