/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Deletes an array where an exception is caught, and behind that once more. */
#include "../corpus.h"
#include <stdexcept>

NOINLINE static void fill(wchar_t *text, size_t count) {
    if (count > 64) throw std::length_error("too long");
    wmemset(text, L'x', count);
}

int main() {
    wchar_t *text = new wchar_t[64];
    try {
        fill(text, number(65));
    } catch (const std::length_error &) {
        if (DEFECT(true, false)) delete[] text;
    }
    delete[] text;
    printf("caught\n");
}
