/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Buffers and their lengths are in maps, and the lengths are of another key. */
#include "../corpus.h"
#include <map>
#include <string>

int main() {
    std::map<std::string, char *> buffers{{"long", new char[120]}, {"short", new char[70]}};
    std::map<std::string, size_t> lengths{{"long", 120}, {"short", 70}};
    memset(buffers["short"], 1, lengths[static_cast<char *>(hidden(DEFECT("long", "short")))]);
    printf("%d\n", buffers["short"][69]);
    for (auto &entry : buffers) delete[] entry.second;
}
