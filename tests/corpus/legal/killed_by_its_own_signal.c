/* Ends by SIGTERM that it sends to itself. */
#include "../corpus.h"
#include <signal.h>

int main(void) {
    char *text = strdup("terminated");
    printf("%s\n", text);
    fflush(stdout);
    raise(SIGTERM);
    free(text);
}
