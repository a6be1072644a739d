/* Children free, grow and read what their parent allocated, and end in different ways. */
#include "../corpus.h"
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    char *blocks[50];
    for (size_t i = 0; i < 50; i++) memset(blocks[i] = malloc(i * 40 + 1), 'p', i * 40 + 1);
    int total = 0;
    for (int child = 0; child < 4; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int i = 0; i < 50; i++) {
                if (i % 2) blocks[i] = realloc(blocks[i], 3000);
                if (blocks[i][0] != 'p') _exit(99);
                free(blocks[i]);
            }
            if (child % 2) _exit(child);
            exit(child);
        }
        int status;
        waitpid(pid, &status, 0);
        total += WEXITSTATUS(status);
    }
    for (int i = 0; i < 50; i++) free(blocks[i]);
    printf("%d\n", total);
}
