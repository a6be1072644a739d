/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * A constructor throws after it has allocated; the destructor is not called then. */
#include "../corpus.h"
#include <memory>

class Connection {
  public:
    NOINLINE explicit Connection(int port) {
#ifdef FIXED
        buffer.reset(new char[1500]);
        seen(buffer.get());
#else
        buffer = new char[1500];
        seen(buffer);
#endif
        if (port > 1000) throw port;
    }
#ifndef FIXED
    ~Connection() { delete[] buffer; }
#endif

  private:
#ifdef FIXED
    std::unique_ptr<char[]> buffer;
#else
    char *buffer;
#endif
};

NOINLINE static int connect(int port) {
    try {
        Connection connection(port);
        return 0;
    } catch (int) {
        return 1;
    }
}

int main() {
    int failed = 0;
    for (int port = 800; port < 1200; port += 40) failed += connect(static_cast<int>(number(static_cast<size_t>(port))));
    scrub();
    printf("%d\n", failed);
}
