/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Asks how large a file is, into a structure that an error path has freed. */
#include "../corpus.h"
#include <sys/stat.h>
#include <unistd.h>
static struct stat *kept;
static NOINLINE int size_of(int file) {
    if (kept == NULL) kept = malloc(sizeof *kept);
    return fstat(file, hidden(kept));
}
int main(void) {
    int ends[2];
    if (pipe(ends) != 0 || size_of(ends[0]) != 0) return 1;
    if (DEFECT(1, 0)) free(kept);
    int again = size_of(ends[1]);
    printf("%d\n", again == 0 || again == -1);
    if (DEFECT(0, 1)) free(kept);
}
