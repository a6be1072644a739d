/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Goes back to the beginning of a line in each of many texts; the first line has no line break
 * in front. */
#include "../corpus.h"
NOINLINE static const char *line_start(const char *text, const char *at) {
    while (DEFECT(1, at > text) && at[-1] != '\n') at--;
    return at;
}

int main(void) {
    char *texts[30];
    for (int i = 0; i < 30; i++) {
        texts[i] = malloc(128);
        memset(texts[i], 'l', 128);
        texts[i][0] = i == 17 ? 'f' : '\n';
    }
    int near = 0;
    for (int i = 0; i < 30; i++) near += line_start(texts[i], texts[i] + 100) != hidden(NULL);
    printf("%d\n", near);
    for (int i = 0; i < 30; i++) free(texts[i]);
}
