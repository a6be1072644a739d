/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Replaces the character in front of each dot of a std::string, and the string begins with
 * one. */
#include "../corpus.h"
#include <string>

int main() {
    std::string path(static_cast<char *>(hidden(".a directory/with some.files.in it")));
    char *characters = &path[0];
    for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
        if (DEFECT(true, dot > 0)) characters[dot - 1] = '_';
    seen(characters);
    printf("%s\n", path.c_str());
}
