/* Frees NULL, resizes NULL, and asks for no bytes, again and again, in each family. */
#include "../corpus.h"
int main(void) {
    void *none[30];
    free(NULL);
    for (int i = 0; i < 30; i++) {
        none[i] = i % 3 == 0 ? malloc(0) : i % 3 == 1 ? calloc(0, 8) : realloc(NULL, 0);
        for (int j = 0; j < i; j++)
            if (none[i] == NULL || none[i] == none[j]) return 1;
    }
    for (int i = 0; i < 30; i++) {
        none[i] = realloc(none[i], 20);
        memset(none[i], i, 20);
        free(none[i]);
    }
    printf("nothing\n");
}
