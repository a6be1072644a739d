/* A class has operators of its own that keep its objects in a pool of malloc; others have
 * none. */
#include "../corpus.h"
#include <new>

class Pooled {
  public:
    static void *operator new(size_t size) {
        if (free_list == nullptr) return malloc(size);
        void *memory = free_list;
        free_list = *static_cast<void **>(memory);
        return memory;
    }
    static void operator delete(void *memory) {
        *static_cast<void **>(memory) = free_list;
        free_list = memory;
    }
    static void empty() {
        while (free_list != nullptr) {
            void *memory = free_list;
            free_list = *static_cast<void **>(memory);
            free(memory);
        }
    }
    virtual ~Pooled() = default;
    int64_t value = 1;

  private:
    static void *free_list;
};
void *Pooled::free_list = nullptr;

int main() {
    int64_t total = 0;
    for (int round = 0; round < 10; round++) {
        Pooled *some[20];
        for (auto &one : some) one = new Pooled;
        for (auto &one : some) total += one->value, delete one;
    }
    Pooled::empty();
    printf("%d\n", static_cast<int>(total));
}
