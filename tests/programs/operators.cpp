// Opens a library with C++'s operators of its own (PLUGIN), and gives it objects, or takes its.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

namespace {

template <typename T> T *hidden(T *pointer) {
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

template <typename F> F *function(const char *name) {
    static void *plugin = dlopen(std::getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL);
    void *found = plugin ? dlsym(plugin, name) : nullptr;
    if (found == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        std::exit(3);
    }
    return reinterpret_cast<F *>(found);
}

void theirs_are_dropped() {
    auto make = function<std::string *()>("plugin_make");
    auto array = function<int *()>("plugin_array");
    for (int i = 0; i < 100; i++) {
        delete hidden(make());
        delete[] hidden(array());
    }
}

void they_drop_ours() {
    auto drop = function<void(std::string *)>("plugin_drop");
    for (int i = 0; i < 100; i++) drop(hidden(new std::string(100, 'y')));
}

void malloc_by_delete() {
    function<std::string *()>("plugin_make");
    ::operator delete(hidden(std::malloc(40)));
}

void new_by_free() {
    function<std::string *()>("plugin_make");
    std::free(hidden(::operator new(40)));
}

}  // namespace

int main(int, char **arguments) {
    struct {
        const char *name;
        void (*run)();
    } cases[] = {{"theirs_are_dropped", theirs_are_dropped},
                 {"they_drop_ours", they_drop_ours},
                 {"malloc_by_delete", malloc_by_delete},
                 {"new_by_free", new_by_free}};
    for (auto &one : cases)
        if (std::strcmp(one.name, arguments[1]) == 0) {
            one.run();
            return 0;
        }
    return 2;
}
