/* Calls each form of operator new and the form of operator delete that belongs to it. */
#include "../corpus.h"
#include <new>

struct alignas(256) Aligned {
    char bytes[300];
};

struct Counted {
    int n = 1;
    ~Counted() { seen(this); }
};

int main() {
    ::operator delete(::operator new(0));
    ::operator delete(::operator new(40), size_t{40});
    ::operator delete[](::operator new[](70), size_t{70});
    ::operator delete(::operator new(100, std::align_val_t{64}), std::align_val_t{64});
    ::operator delete(::operator new(100, std::align_val_t{64}), size_t{100}, std::align_val_t{64});
    ::operator delete(::operator new(9, std::nothrow), std::nothrow);
    ::operator delete[](::operator new[](9, std::nothrow));
    delete new Aligned;
    delete[] new Aligned[3];
    delete[] new Counted[number(7)];
    delete[] new char[number(7)];
    delete static_cast<Counted *>(nullptr);
    printf("%d\n", new (std::nothrow) char[number(SIZE_MAX / 4)] == nullptr);
}
