/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Keeps c_str() of a temporary string. */
#include "../corpus.h"
#include <string>

NOINLINE static std::string describe(int number) {
    return "the description of thing number " + std::to_string(number);
}

int main() {
    std::string kept = describe(1);
    const char *text = DEFECT(describe(static_cast<int>(number(2))).c_str(), kept.c_str());
    printf("%d\n", static_cast<char *>(hidden(text))[7] != 'q');
}
