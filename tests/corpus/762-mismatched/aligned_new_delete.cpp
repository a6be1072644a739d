/* CWE: 762
 * Kinds: mismatched-free, align-mismatch, size-mismatch
 * Found: default
 *
 * An object that needs an alignment of 128 is deleted as one of a type that does not. */
#include "../corpus.h"
struct alignas(128) Line {
    char bytes[256];
};
struct Plain {
    char bytes[256];
};

int main() {
    Line *line = new Line;
    memset(line->bytes, 1, sizeof line->bytes);
    printf("%d\n", line->bytes[255]);
#ifdef FIXED
    delete line;
#else
    delete static_cast<Plain *>(hidden(line));
#endif
}
