/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Gives the characters of a string view, which end without a zero, to a C function. */
#include "../corpus.h"
#include <string>
#include <string_view>

NOINLINE static int number_in(std::string_view digits) {
    return atoi(DEFECT(digits.data(), std::string(digits).c_str())) != 1;
}

int main() {
    char *memory = new char[112];
    memset(memory, '0', 112);
    printf("%d\n", number_in(std::string_view(memory, number(112))));
    delete[] memory;
}
