/* Closes its standard error and all that it did not open, and ends well. */
#include "../corpus.h"
#include <unistd.h>

int main(void) {
    char *text = strdup("silent");
    for (int descriptor = 2; descriptor < 1000; descriptor++) close(descriptor);
    printf("%s\n", text);
    free(text);
    return 6;
}
