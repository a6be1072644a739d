/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Searches a character by moving the only pointer to the block, and frees it where it was
 * found. */
#include "../corpus.h"
int main(void) {
    char *data = malloc(100);
    strcpy(data, hidden("Fixed String"));
#ifdef FIXED
    for (size_t i = 0; data[i] != '\0'; i++) {
        if (data[i] != 'S') continue;
        printf("found\n");
        break;
    }
#else
    for (; *data != '\0'; data++) {
        if (*data != 'S') continue;
        printf("found\n");
        break;
    }
#endif
    free(data);
}
