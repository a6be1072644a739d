/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Puts a prefix in front of a text for which no room was left. */
#include "../corpus.h"
int main(void) {
    size_t left = DEFECT(0, 5);
    char *memory = malloc(left + 24), *text = memory + left;
    strcpy(text, "file.name/within");
    char *whole = text - 5;
    strcpy(hidden(whole), hidden("/tmp"));
    whole[4] = '/';
    seen(memory);
    printf("%.4s\n", text);
    free(memory);
}
