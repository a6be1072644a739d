/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Looks whether a file is there by a path that it has just freed. */
#include "../corpus.h"
#include <sys/stat.h>
int main(void) {
    struct stat status;
    char *path = malloc(number(32));
    strcpy(path, "/tmp/../tmp");
    if (DEFECT(1, 0)) free(path);
    int found = stat(hidden(path), &status);
    printf("%d\n", found == 0 || found == -1);
    if (DEFECT(0, 1)) free(path);
}
