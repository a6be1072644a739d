/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * A C function frees the text that a C++ function made by new[]. */
#include "../corpus.h"
NOINLINE static char *make(const char *text) {
    char *copy = DEFECT(new char[strlen(text) + 1], static_cast<char *>(malloc(strlen(text) + 1)));
    return strcpy(copy, text);
}

extern "C" NOINLINE void consume(char *text) {
    printf("%s\n", text);
    free(text);
}

int main() { consume(make(static_cast<char *>(hidden("a copy of it")))); }
