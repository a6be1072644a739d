// leaks_cpp.cpp: a case of memory that is lost, or is not, by name. What each has to give is in
// tests/leaks.rs.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <locale>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#define APART __attribute__((noinline, noclone, noipa))

namespace {

// As a program has them at file scope.
std::map<std::string, std::vector<int>> table;
std::string text(1000, 'x');
thread_local std::vector<std::string> lines;

struct Node {
    std::shared_ptr<Node> next;
    std::string name{std::string(200, 'n')};
};

struct First {
    virtual ~First() = default;
    long number = 1;
};
struct Second {
    virtual ~Second() = default;
    long number = 2;
};
struct Both : First, Second {
    std::string name{std::string(100, 'b')};
};

Second *volatile as_second;
std::string *volatile strings;

}  // namespace

// ---- lost ----

APART static void array() { *(volatile char *)new char[500] = 1; }

APART static void vector() { new std::vector<std::string>(3, std::string(300, 'v')); }

APART static void shared_circle()
{
    auto first = std::make_shared<Node>();
    first->next = std::make_shared<Node>();
    first->next->next = first;
}

APART static void released()
{
    std::unique_ptr<Node> node(new Node);
    (void)!node.release();
}

// The destructor of the base is none that knows of the string.
APART static void thrown_over()
{
    try {
        char *volatile block = new char[700];
        *block = 1;
        throw std::runtime_error("on the way");
    } catch (const std::exception &) {
    }
}

// ---- not lost ----

APART static void containers()
{
    for (int i = 0; i < 100; i++) table["key " + std::to_string(i)].push_back(i);
    static std::unordered_map<int, std::string> local;
    for (int i = 0; i < 100; i++) local[i] = std::string(i, 'y');
    static auto *kept = new std::vector<std::unique_ptr<int>>;
    for (int i = 0; i < 100; i++) kept->push_back(std::make_unique<int>(i));
}

APART static void thread_local_object()
{
    for (int i = 0; i < 10; i++) lines.push_back(std::string(100, 'l'));
    std::thread other([] { lines.push_back(std::string(200, 'o')); });
    other.join();
}

APART static void second_base() { as_second = new Both; }

// The pointer is behind the count that the compiler keeps in front of an array.
APART static void array_of_objects() { strings = new std::string[7]; }

APART static void exceptions()
{
    for (int i = 0; i < 10; i++) {
        try {
            throw std::runtime_error(std::string(300, 'e'));
        } catch (const std::exception &error) {
            if (std::strlen(error.what()) != 300) std::abort();
        }
    }
}

APART static void streams()
{
    std::ostringstream stream;
    stream.imbue(std::locale::classic());
    stream << "a number: " << 1.5;
    std::cout << stream.str() << std::endl;
}

APART static void functions()
{
    static std::function<int(int)> function;
    std::string captured(400, 'c');
    function = [captured](int i) { return captured[i]; };
    if (function(3) != 'c') std::abort();
}

// All of it at once.
APART static void seeded()
{
    array();
    vector();
    shared_circle();
    released();
    thrown_over();
    containers();
    exceptions();
    array_of_objects();
}

#define CASE(name) {#name, name}
static const struct {
    const char *name;
    void (*run)();
} CASES[] = {
    CASE(array), CASE(vector), CASE(shared_circle), CASE(released), CASE(thrown_over),
    CASE(containers), CASE(thread_local_object), CASE(second_base), CASE(array_of_objects),
    CASE(exceptions), CASE(streams), CASE(functions), CASE(seeded),
};

int main(int argc, char **argv)
{
    bool lists = argc > 1 && std::strcmp(argv[1], "--list") == 0;
    for (const auto &entry : CASES) {
        if (lists) std::puts(entry.name);
        else if (argc > 1 && std::strcmp(argv[1], entry.name) == 0) {
            entry.run();
            return 0;
        }
    }
    return lists ? 0 : 2;
}
