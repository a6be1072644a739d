/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * The destructor of a class deletes a text that its constructor got from strdup. */
#include "../corpus.h"
class Title {
  public:
    explicit Title(const char *title) : title(strdup(title)) {}
    Title(const Title &) = delete;
    NOINLINE ~Title() {
#ifdef FIXED
        free(title);
#else
        delete[] title;
#endif
    }
    const char *get() const { return title; }

  private:
    char *title;
};

int main() {
    Title title(static_cast<char *>(hidden("On Computable Numbers")));
    printf("%s\n", title.get());
}
