/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Deletes the line that getline has allocated. */
#include "../corpus.h"
int main() {
    FILE *file = tmpfile();
    fputs("the line of the file\n", file);
    rewind(file);
    char *line = nullptr;
    size_t room = 0;
    ssize_t length = getline(&line, &room, file);
    printf("%zd\n", length);
    fclose(file);
    if (DEFECT(true, false))
        delete line;
    else
        free(line);
}
