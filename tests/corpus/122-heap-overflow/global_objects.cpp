/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * The destructor of a global object overruns its block after main has returned. */
#include "../corpus.h"
struct Log {
    char *lines = new char[80];
    size_t used = 78;
    ~Log() {
        lines[used++] = '\n';
        seen(lines);
        if (DEFECT(true, false)) lines[used++] = '\n', lines[used++] = 0;
        delete[] lines;
    }
} log_of_all;

int main() { printf("%zu\n", log_of_all.used); }
