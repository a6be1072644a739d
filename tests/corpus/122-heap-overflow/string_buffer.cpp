/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Hands the buffer of a std::string to a C function with a size of its own. */
#include "../corpus.h"
#include <string>

extern "C" NOINLINE void describe(char *target, size_t room) {
    memset(target, '-', room);
    memcpy(target, "described", 9);
}

int main() {
    std::string buffer(number(50), ' ');
    describe(&buffer[0], DEFECT(buffer.size() + 14, buffer.size()));
    printf("%.9s\n", buffer.c_str());
}
