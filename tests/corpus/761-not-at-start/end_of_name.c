/* CWE: 761
 * Kinds: invalid-free
 * Found: default
 *
 * Frees the result of strrchr, which points to the last part of a path. */
#include "../corpus.h"
NOINLINE static char *extension(char *path) { return strrchr(path, '.'); }

int main(void) {
    char *path = NULL;
    asprintf(&path, "%s/%s.%s", "directory", (char *)hidden("file"), "tar");
    char *last = extension(path);
    printf("%s\n", last);
    free(DEFECT(last, path));
}
