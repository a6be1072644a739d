/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A class with a pointer is assigned without an operator of its own. */
#include "../corpus.h"
class Buffer {
  public:
    explicit Buffer(size_t size) : size(size), data(new int64_t[size]) { data[0] = 1; }
    ~Buffer() {
        seen(data);
        delete[] data;
    }
    Buffer(const Buffer &) = delete;
#ifdef FIXED
    Buffer &operator=(const Buffer &other) {
        delete[] data;
        size = other.size;
        data = new int64_t[size];
        memcpy(data, other.data, size * sizeof *data);
        return *this;
    }
#else
    Buffer &operator=(const Buffer &other) {
        delete[] data;
        size = other.size;
        data = other.data;
        return *this;
    }
#endif
    size_t size;
    int64_t *data;
};

int main() {
    Buffer first(number(500)), second(number(700));
    second.data[699] = 0;
    memset(first.data, 0, 500 * sizeof *first.data);
    first = second;
    printf("%zu\n", first.size);
}
