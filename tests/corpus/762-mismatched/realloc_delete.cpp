/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * What was grown by realloc goes to a list of owners, each of which uses delete. */
#include "../corpus.h"
#include <list>

struct Owner {
    char *text;
    explicit Owner(char *text) : text(text) {}
    Owner(const Owner &) = delete;
    ~Owner() {
#ifdef FIXED
        free(text);
#else
        delete text;
#endif
    }
};

int main() {
    std::list<Owner> owners;
    char *text = static_cast<char *>(malloc(10));
    text = static_cast<char *>(realloc(text, number(2500)));
    strcpy(text, "grown");
    owners.emplace_back(text);
    printf("%s\n", owners.front().text);
}
