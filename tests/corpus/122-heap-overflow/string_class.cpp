/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A string class appends without growing. */
#include "../corpus.h"
class Text {
  public:
    explicit Text(const char *text) : room(strlen(text) + 1), text(new char[room]) {
        memcpy(this->text, text, room);
    }
    Text(const Text &) = delete;
    ~Text() { delete[] text; }
    NOINLINE Text &operator+=(const char *more) {
        if (DEFECT(false, true)) {
            char *larger = new char[room + strlen(more)];
            strcpy(larger, text);
            delete[] text;
            text = larger;
        }
        strcat(text, more);
        return *this;
    }
    const char *get() const { return text; }

  private:
    size_t room;
    char *text;
};

int main() {
    Text text(static_cast<char *>(hidden("one thing")));
    text += static_cast<char *>(hidden(" leads to another"));
    printf("%s\n", text.get());
}
