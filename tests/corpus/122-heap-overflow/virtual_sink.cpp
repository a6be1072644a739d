/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A virtual function writes a wide string of a fixed length into an array that a derived class
 * made. */
#include "../corpus.h"
struct Sink {
    virtual ~Sink() = default;
    virtual wchar_t *target() = 0;
    NOINLINE void write() {
        for (int i = 0; i < 10; i++) target()[i] = L'w';
    }
};
struct Narrow : Sink {
    wchar_t *memory = new wchar_t[number(DEFECT(9, 10))];
    ~Narrow() override { delete[] memory; }
    wchar_t *target() override { return memory; }
};

int main() {
    Sink *sink = static_cast<Sink *>(hidden(new Narrow));
    sink->write();
    printf("%d\n", static_cast<int>(sink->target()[2]));
    delete sink;
}
