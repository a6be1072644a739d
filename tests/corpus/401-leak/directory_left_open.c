/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Opens directories and closes none: what opendir allocated is lost. */
#include "../corpus.h"
#include <dirent.h>

NOINLINE static int is_there(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) return 0;
    int there = readdir(directory) != NULL;
    if (DEFECT(0, 1)) closedir(directory);
    return there;
}

int main(void) {
    int there = 0;
    for (int i = 0; i < 5; i++) there += is_there(hidden("/"));
    scrub();
    printf("%d\n", there);
}
