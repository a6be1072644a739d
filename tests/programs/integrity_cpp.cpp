// Blocks of C++ that are given back in another way than they were handed out: each case is one,
// named by the first argument.
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

namespace {

struct alignas(64) Wide {
    char bytes[64];
};

// What the compiler knows nothing of, so that it pairs no new with a delete.
template <typename T> T *hidden(T *pointer) {
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

void right() {
    delete hidden(new int);
    delete[] hidden(new int[10]);
    delete[] hidden(new std::string[3]);
    delete hidden(new Wide);
    delete[] hidden(new Wide[2]);
    std::vector<Wide> wide(5);
    ::operator delete(hidden(::operator new(100)), std::size_t{100});
    ::operator delete(hidden(::operator new(100, std::nothrow)));
    std::free(hidden(std::aligned_alloc(64, 128)));
}

void array_by_delete() { ::operator delete(hidden(::operator new[](40))); }

void new_by_free() { std::free(hidden(::operator new(40))); }

void malloc_by_delete() { ::operator delete(hidden(std::malloc(40))); }

void wrong_size() { ::operator delete(hidden(::operator new(40)), std::size_t{48}); }

void wrong_alignment() {
    ::operator delete(hidden(::operator new(256, std::align_val_t{64})), std::align_val_t{128});
}

// Objects with something to do at their end: an array of them has its count in front.
struct Owner {
    int *owned = new int;
    ~Owner() { delete owned; }
};

void classes_by_delete() { delete hidden(new Owner[4]); }

void classes_by_free() { std::free(hidden(new Owner[4])); }

void inside_of_an_array() { ::operator delete(hidden(new Owner[4]) + 1); }

void class_by_array_delete() { delete[] hidden(new Owner); }

}  // namespace

int main(int count, char **arguments) {
    const struct {
        const char *name;
        void (*run)();
    } cases[] = {{"right", right},
                 {"array_by_delete", array_by_delete},
                 {"new_by_free", new_by_free},
                 {"malloc_by_delete", malloc_by_delete},
                 {"wrong_size", wrong_size},
                 {"wrong_alignment", wrong_alignment},
                 {"classes_by_delete", classes_by_delete},
                 {"classes_by_free", classes_by_free},
                 {"inside_of_an_array", inside_of_an_array},
                 {"class_by_array_delete", class_by_array_delete}};
    for (const auto &one : cases) {
        if (count > 1 && std::strcmp(one.name, arguments[1]) == 0) {
            one.run();
            return 0;
        }
    }
    return 2;
}
