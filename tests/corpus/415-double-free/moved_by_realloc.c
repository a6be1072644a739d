/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * realloc has moved the block; the old pointer, kept in another variable, is freed. */
#include "../corpus.h"
struct owner {
    char *text;
} first, second;

int main(void) {
    first.text = second.text = strdup(hidden("a text that is going to grow"));
    char *barrier = malloc(100);
    first.text = realloc(first.text, number(70000));
    printf("%.6s\n", first.text);
    free(first.text);
    free(barrier);
    free(DEFECT(second.text, NULL));
}
