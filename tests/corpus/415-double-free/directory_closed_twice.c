/* CWE: 415
 * Kinds: double-free, use-after-free
 * Found: default
 *
 * Closes a directory twice, so that libc frees its block twice. */
#include "../corpus.h"
#include <dirent.h>

int main(void) {
    DIR *directory = opendir(hidden("/"));
    if (directory == NULL) return 120;
    printf("%d\n", readdir(directory) != NULL);
    closedir(directory);
    if (DEFECT(1, 0)) closedir(hidden(directory));
}
