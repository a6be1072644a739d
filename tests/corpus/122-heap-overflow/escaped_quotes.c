/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Escapes quotes, and counts each as one character. */
#include "../corpus.h"
int main(void) {
    const char *text = hidden("\"\"\"\"quoted\"\" and \"again\"");
    size_t room = 1;
    for (const char *c = text; *c; c++) room += *c == '"' ? DEFECT(1, 2) : 1;
    char *escaped = malloc(room), *to = escaped;
    while (*text) {
        if (*text == '"') *to++ = '\\';
        *to++ = *text++;
    }
    *to = 0;
    seen(escaped);
    printf("%.8s\n", escaped);
    free(escaped);
}
