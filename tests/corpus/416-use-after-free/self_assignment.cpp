/* CWE: 416
 * Kinds: use-after-free
 * Found: guards
 *
 * Assigns an object to itself; the operator frees first and copies then. */
#include "../corpus.h"
class Text {
  public:
    explicit Text(const char *text) : text(strdup(text)) {}
    Text(const Text &) = delete;
    ~Text() { free(text); }
    NOINLINE Text &operator=(const Text &other) {
        if (DEFECT(false, this == &other)) return *this;
        char *old = other.text;
        free(text);
        seen(old);
        text = static_cast<char *>(malloc(100));
        strcpy(text, static_cast<char *>(hidden(old)));
        return *this;
    }

  private:
    char *text;
};

int main() {
    Text text(static_cast<char *>(hidden("myself, and no other one than that")));
    text = *static_cast<Text *>(hidden(&text));
    printf("assigned\n");
}
