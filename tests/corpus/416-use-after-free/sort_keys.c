/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Sorts records by a key that is a pointer to a text, and one text has been freed. */
#include "../corpus.h"
static int by_key(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    char *keys[5];
    for (int i = 0; i < 5; i++) asprintf(&keys[i], "key number %d of a few", 9 - i);
    if (DEFECT(1, 0)) free(keys[number(3)]);
    qsort(hidden(keys), 5, sizeof *keys, by_key);
    printf("sorted\n");
#ifdef FIXED
    for (int i = 0; i < 5; i++) free(keys[i]);
#endif
}
