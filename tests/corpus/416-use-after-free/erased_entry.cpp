/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Uses a reference to the value of a map's entry after the entry was erased. */
#include "../corpus.h"
#include <map>
#include <string>

int main() {
    std::map<int, std::string> names;
    for (int i = 0; i < 5; i++) names[i] = std::string(60, static_cast<char>('a' + i));
    const std::string &name = names[static_cast<int>(number(3))];
    const char *characters = name.data();
    names.erase(DEFECT(3, 4));
    seen(characters);
    printf("%d\n", static_cast<const volatile char *>(hidden(characters))[30] != 'q');
}
