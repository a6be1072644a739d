/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Writes a record to a stream that is longer than its block. */
#include "../corpus.h"
int main(void) {
    FILE *file = tmpfile();
    char *record = malloc(96);
    memset(record, 'r', 96);
    size_t written = fwrite(record, 1, number(DEFECT(320, 96)), file);
    printf("%d\n", written > 90);
    fclose(file);
    free(record);
}
