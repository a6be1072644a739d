/* Parses a text by views into its block, to its last character, which no terminator follows. */
#include "../corpus.h"
#include <string_view>
#include <vector>

int main() {
    const char source[] = "alpha,beta,gamma,delta";
    size_t length = sizeof source - 1;
    char *text = static_cast<char *>(malloc(length));
    memcpy(text, source, length);
    std::string_view rest(text, length);
    std::vector<std::string_view> words;
    for (;;) {
        size_t comma = rest.find(',');
        words.push_back(rest.substr(0, comma));
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    printf("%zu %.*s\n", words.size(), static_cast<int>(words.back().size()), words.back().data());
    free(text);
}
