/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Joins a directory and a file name by strcat and forgets the slash in between. */
#include "../corpus.h"
static char *join(const char *directory, const char *file) {
    char *path = malloc(strlen(directory) + strlen(file) + DEFECT(1, 2));
    path[0] = 0;
    strcat(path, directory);
    strcat(path, "/");
    return strcat(path, file);
}

int main(void) {
    char *path = join(hidden("/usr/share/dict"), hidden("american-english"));
    printf("%s\n", path);
    free(path);
}
