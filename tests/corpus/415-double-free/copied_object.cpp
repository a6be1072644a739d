/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A class with a pointer has no copy constructor of its own. */
#include "../corpus.h"
class Name {
  public:
    explicit Name(const char *text) : text(new char[strlen(text) + 1]) { strcpy(this->text, text); }
#ifdef FIXED
    Name(const Name &other) : Name(other.text) {}
#endif
    NOINLINE ~Name() { delete[] text; }
    char *text;
};

NOINLINE static size_t length(Name name) { return strlen(name.text); }

int main() {
    Name name(static_cast<char *>(hidden("Grace Hopper")));
    printf("%zu\n", length(name));
}
