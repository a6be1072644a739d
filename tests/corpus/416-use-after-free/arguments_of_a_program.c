/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Starts a program whose last argument was freed while the list was put together. */
#include "../corpus.h"
#include <spawn.h>
#include <sys/wait.h>
extern char **environ;
int main(void) {
    char *quoted = malloc(number(40));
    strcpy(quoted, "an argument that is not looked at");
    char *list[] = {(char *)"true", quoted, NULL};
    if (DEFECT(1, 0)) free(quoted);
    pid_t child;
    if (posix_spawn(&child, "/bin/true", NULL, NULL, hidden(list), environ) == 0) waitpid(child, NULL, 0);
    puts("started");
    if (DEFECT(0, 1)) free(quoted);
}
