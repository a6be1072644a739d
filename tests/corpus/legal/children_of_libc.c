/* Starts programs by popen, system and posix_spawn, with an environment that setenv has
 * changed. */
#include "../corpus.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(void) {
    setenv("CORPUS_CHILD", "of the corpus", 1);
    char *put = strdup("CORPUS_PUT=put");
    putenv(put);
    FILE *child = popen("echo \"$CORPUS_CHILD $CORPUS_PUT\"", "r");
    char line[100] = "";
    if (fgets(line, sizeof line, child) == NULL) return 1;
    int status = pclose(child);
    status += system("exit 3") >> 8;
    pid_t pid;
    char *arguments[] = {"sh", "-c", "exit 4", NULL};
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ) != 0) return 2;
    int other;
    waitpid(pid, &other, 0);
    unsetenv("CORPUS_PUT");
    free(put);
    printf("%s%d\n", line, status + WEXITSTATUS(other));
}
