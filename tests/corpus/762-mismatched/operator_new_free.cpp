/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * A container takes memory from operator new and gives it back to free. */
#include "../corpus.h"
#include <new>

template <typename T> struct Malloc {
    using value_type = T;
    Malloc() = default;
    template <typename U> Malloc(const Malloc<U> &) {}
    T *allocate(size_t n) { return static_cast<T *>(::operator new(n * sizeof(T))); }
    void deallocate(T *memory, size_t) {
#ifdef FIXED
        ::operator delete(memory);
#else
        free(hidden(memory));
#endif
    }
};

template <typename T> struct Array {
    Malloc<T> allocator;
    T *items = allocator.allocate(64);
    ~Array() { allocator.deallocate(items, 64); }
};

int main() {
    Array<wchar_t> array;
    wmemset(array.items, L'a', 64);
    printf("%d\n", static_cast<int>(array.items[63]));
}
