/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * The length comes through a table of functions. */
#include "../corpus.h"
static size_t of_string(const char *text) { return strlen(text); }
static size_t with_terminator(const char *text) { return strlen(text) + 1; }

static size_t (*const lengths[])(const char *) = {of_string, with_terminator};

int main(void) {
    const char *text = hidden("0123456789abcdef");
    size_t (*measure)(const char *) = lengths[number(DEFECT(0, 1))];
    char *copy = malloc(measure(text));
    memmove(copy, text, strlen(text) + 1);
    printf("%s\n", copy);
    free(copy);
}
