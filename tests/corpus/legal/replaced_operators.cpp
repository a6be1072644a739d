/* Replaces the global operators by ones that call malloc and free, as the language allows. */
#include "../corpus.h"
#include <new>
#include <string>
#include <vector>

static size_t calls;

NOINLINE void *operator new(size_t size) {
    calls++;
    if (void *memory = malloc(size ? size : 1)) return memory;
    throw std::bad_alloc();
}
NOINLINE void operator delete(void *memory) noexcept { free(memory); }
NOINLINE void operator delete(void *memory, size_t) noexcept { free(memory); }

int main() {
    std::vector<std::string> texts;
    for (int i = 0; i < 100; i++) texts.emplace_back(static_cast<size_t>(i), 't');
    delete[] new int[40];
    seen(&calls);
    printf("%zu\n", texts.size());
}
