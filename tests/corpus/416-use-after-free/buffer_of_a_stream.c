/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Frees the buffer of a stream whose last line is written when it is closed. */
#include "../corpus.h"
int main(void) {
    FILE *log = fopen("/dev/null", "w");
    size_t size = number(512);
    char *buffer = malloc(size);
    if (log == NULL || setvbuf(log, buffer, _IOFBF, size) != 0) return 1;
    fputs("the last line\n", log);
    if (DEFECT(1, 0)) free(buffer);
    fclose(log);
    if (DEFECT(0, 1)) free(buffer);
    puts("closed");
}
