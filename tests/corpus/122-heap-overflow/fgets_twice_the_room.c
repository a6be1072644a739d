/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Reads a line of a file by fgets, which is told of a buffer that is twice as large. */
#include "../corpus.h"
int main(void) {
    FILE *file = tmpfile();
    fputs("a line that has more than thirty characters, surely\n", file);
    rewind(file);
    char *line = malloc(30);
    char *read = fgets(line, (int)number(DEFECT(60, 30)), file);
    printf("%d %.6s\n", read != NULL, line);
    fclose(file);
    free(line);
}
