/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Keeps the words of a line by pointers into its buffer, which is freed. */
#include "../corpus.h"
int main(void) {
    char *line = strdup(hidden("words with separators between them")), *words[6];
    int count = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) words[count++] = word;
    if (DEFECT(1, 0)) free(line);
    size_t length = 0;
    for (int i = 0; i < count; i++) length += strlen(hidden(words[i]));
    printf("%d\n", length > 0);
    if (DEFECT(0, 1)) free(line);
}
