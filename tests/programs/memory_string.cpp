// What a C++ program makes of memory functions: a string that is told a wrong length.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

__attribute__((noinline)) static void fill(std::string &text, const char *bytes, size_t count) {
    text.assign(bytes, count);
}

int main(int argc, char **) {
    char *bytes = static_cast<char *>(malloc(100));
    memset(bytes, 'b', 100);
    std::string text;
    fill(text, bytes, 99 + static_cast<size_t>(argc));
    text += text;
    printf("%zu\n", text.size());
    free(bytes);
}
