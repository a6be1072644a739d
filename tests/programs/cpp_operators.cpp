// The C++ front end: every form of operator new and delete, the new handler,
// and how they fail.
#include "check.h"

#include <dlfcn.h>
#include <malloc.h>

#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

using std::align_val_t;
using std::nothrow;

static const size_t sizes[] = {0, 1, 8, 16, 100, 1024, 2048, 2049, 5000, 8192, 20000, 32768,
                               40000, 262144, 1048576, 1048577, 5000000};
static const size_t alignments[] = {1, 2, 8, 16, 32, 64, 128, 256, 1024, 4096, 16384, 65536,
                                    131072, 1048576, 4194304};

// More than any address space has, and still no overflow.
static const size_t too_much = (size_t)1 << 60;

static void *filled_block(void *block, size_t size, size_t alignment) {
    CHECK(block != nullptr, "size %zu, alignment %zu: saw NULL", size, alignment);
    ALIGNED(block, alignment);
    CHECK(malloc_usable_size(block) >= size, "size %zu: usable are %zu", size,
          malloc_usable_size(block));
    fill(block, size, 1);
    FILLED(block, size, 1);
    return block;
}

static void all_forms_are_one_allocators() {
    const char *names[] = {
        "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t",
        "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
        "_ZnwmSt11align_val_tRKSt9nothrow_t", "_ZnamSt11align_val_tRKSt9nothrow_t",
        "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm",
        "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t",
        "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t",
        "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
        "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t"};
    Dl_info first = {};
    for (const char *name : names) {
        Dl_info here = {};
        void *address = dlsym(RTLD_DEFAULT, name);
        CHECK(address != nullptr && dladdr(address, &here) != 0, "%s is defined nowhere", name);
        if (first.dli_fname == nullptr) first = here;
        CHECK(strcmp(first.dli_fname, here.dli_fname) == 0, "%s: expected in %s, saw %s", name,
              first.dli_fname, here.dli_fname);
    }
    const char *expected = reference() ? "libstdc++" : "libhakmem";
    CHECK(strstr(first.dli_fname, expected) != nullptr, "operator new: expected in %s, saw %s",
          expected, first.dli_fname);
}

static void plain_forms() {
    for (size_t size : sizes) {
        ::operator delete(filled_block(::operator new(size), size, 16));
        ::operator delete[](filled_block(::operator new[](size), size, 16));
        ::operator delete(filled_block(::operator new(size, nothrow), size, 16));
        ::operator delete[](filled_block(::operator new[](size, nothrow), size, 16));
        ::operator delete(filled_block(::operator new(size), size, 16), nothrow);
        ::operator delete[](filled_block(::operator new[](size), size, 16), nothrow);
    }
}

static void sized_forms() {
    for (size_t size : sizes) {
        ::operator delete(filled_block(::operator new(size), size, 16), size);
        ::operator delete[](filled_block(::operator new[](size), size, 16), size);
        ::operator delete(filled_block(::operator new(size, nothrow), size, 16), size);
    }
}

static void aligned_forms() {
    for (size_t alignment : alignments)
        for (size_t size : sizes) {
            align_val_t a{alignment};
            ::operator delete(filled_block(::operator new(size, a), size, alignment), a);
            ::operator delete[](filled_block(::operator new[](size, a), size, alignment), a);
            ::operator delete(filled_block(::operator new(size, a, nothrow), size, alignment), a);
            ::operator delete[](filled_block(::operator new[](size, a, nothrow), size, alignment), a);
            ::operator delete(filled_block(::operator new(size, a), size, alignment), a, nothrow);
            ::operator delete[](filled_block(::operator new[](size, a), size, alignment), a, nothrow);
            ::operator delete(filled_block(::operator new(size, a), size, alignment), size, a);
            ::operator delete[](filled_block(::operator new[](size, a), size, alignment), size, a);
        }
}

static void deleting_null_does_nothing() {
    align_val_t a{64};
    void *null = hide(nullptr);
    errno = 3;
    ::operator delete(null);
    ::operator delete[](null);
    ::operator delete(null, nothrow);
    ::operator delete[](null, nothrow);
    ::operator delete(null, (size_t)8);
    ::operator delete[](null, (size_t)8);
    ::operator delete(null, a);
    ::operator delete[](null, a);
    ::operator delete(null, a, nothrow);
    ::operator delete[](null, a, nothrow);
    ::operator delete(null, (size_t)8, a);
    ::operator delete[](null, (size_t)8, a);
    EQ(errno, 3);
}

static void new_of_zero_is_unique() {
    std::vector<void *> blocks;
    for (int i = 0; i < 100; i++) {
        void *block = ::operator new(0);
        for (void *other : blocks) CHECK(block != other, "%p was given out twice", block);
        blocks.push_back(block);
    }
    for (void *block : blocks) ::operator delete(block);
}

// Calls `form` and demands that it throws std::bad_alloc.
template <typename Form> static void throws(const char *name, Form form) {
    bool caught = false;
    try {
        hide(form());
    } catch (const std::bad_alloc &) {
        caught = true;
    }
    CHECK(caught, "%s: expected std::bad_alloc, saw a pointer", name);
}

#define THROWS(call) throws(#call, [&]() -> void * { return call; })

// The reference rounds the size up to the alignment without a look at overflow.
static bool wraps_around(size_t size) { return reference() && size > SIZE_MAX - 65536; }

static void failure_throws_bad_alloc() {
    align_val_t a{4096};
    for (size_t size : {too_much, (size_t)PTRDIFF_MAX, SIZE_MAX, SIZE_MAX - 4096}) {
        size = hide_size(size);
        THROWS(::operator new(size));
        THROWS(::operator new[](size));
        if (wraps_around(size)) continue;
        THROWS(::operator new(size, a));
        THROWS(::operator new[](size, a));
    }
    size_t count = hide_size(too_much);
    THROWS(new char[count]);
    THROWS(new double[hide_size(SIZE_MAX / 2)]);
    std::unique_ptr<std::string> after(new std::string(1000, 'x'));
    EQ(after->size(), 1000);
}

static void failure_with_nothrow_returns_null() {
    align_val_t a{4096};
    for (size_t size : {too_much, (size_t)PTRDIFF_MAX, SIZE_MAX, SIZE_MAX - 4096}) {
        size = hide_size(size);
        CHECK(hide(::operator new(size, nothrow)) == nullptr, "new(nothrow): saw a pointer");
        CHECK(hide(::operator new[](size, nothrow)) == nullptr, "new[](nothrow): saw a pointer");
        if (wraps_around(size)) continue;
        CHECK(hide(::operator new(size, a, nothrow)) == nullptr, "new(a, nothrow): saw a pointer");
        CHECK(hide(::operator new[](size, a, nothrow)) == nullptr, "new[](a, nothrow): saw a pointer");
    }
}

static int handled;

// Gives up at the third call.
static void give_up_later() {
    if (++handled == 3) std::set_new_handler(nullptr);
}

static void the_new_handler_is_called_until_it_gives_up() {
    align_val_t a{64};
    size_t size = hide_size(too_much);
#define GIVES_UP(statement)                     \
    handled = 0;                                \
    std::set_new_handler(give_up_later);        \
    statement;                                  \
    EQ(handled, 3);                             \
    CHECK(std::get_new_handler() == nullptr, "expected no handler any more")
    GIVES_UP(THROWS(::operator new(size)));
    GIVES_UP(THROWS(::operator new[](size)));
    GIVES_UP(THROWS(::operator new(size, a)));
    GIVES_UP(THROWS(::operator new[](size, a)));
    GIVES_UP(CHECK(::operator new(size, nothrow) == nullptr, "saw a pointer"));
    GIVES_UP(CHECK(::operator new[](size, nothrow) == nullptr, "saw a pointer"));
    GIVES_UP(CHECK(::operator new(size, a, nothrow) == nullptr, "saw a pointer"));
    GIVES_UP(CHECK(::operator new[](size, a, nothrow) == nullptr, "saw a pointer"));
    handled = 0;
    std::set_new_handler(give_up_later);
    CHECK(malloc(size) == nullptr, "malloc: saw a pointer");
    EQ(handled, 0);
    std::set_new_handler(nullptr);
}

struct own_failure : std::bad_alloc {};

static void throw_own() {
    handled++;
    throw own_failure();
}

static void the_new_handler_may_throw() {
    size_t size = hide_size(too_much);
    handled = 0;
    std::set_new_handler(throw_own);
    bool caught = false;
    try {
        hide(::operator new(size));
    } catch (const own_failure &) {
        caught = true;
    }
    CHECK(caught, "expected the exception of the handler");
    EQ(handled, 1);
    // The form that does not throw turns it into NULL.
    CHECK(::operator new(size, nothrow) == nullptr, "new(nothrow): saw a pointer");
    EQ(handled, 2);
    CHECK(::operator new(size, align_val_t{64}, nothrow) == nullptr, "saw a pointer");
    EQ(handled, 3);
    std::set_new_handler(nullptr);
    // Destructors run on the way.
    static int destroyed;
    struct Guard {
        ~Guard() { destroyed++; }
    };
    try {
        Guard guard;
        std::vector<char> never(hide_size(too_much));
    } catch (const std::bad_alloc &) {
        destroyed += 10;
    }
    EQ(destroyed, 11);
}

static void *reserve;

static void give_the_reserve_back() {
    handled++;
    free(reserve);
    reserve = nullptr;
    std::set_new_handler(nullptr);
}

// Run under a limit of the address space: the handler makes the memory that the
// second attempt finds.
static void the_new_handler_makes_memory() {
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY) {
        say("SKIPPED: needs a limit of the address space\n");
        return;
    }
    const size_t large = 24 * MIB;
    reserve = malloc(32 * MIB);
    CHECK(reserve != nullptr, "expected 32 MiB in a limit of %zu", (size_t)limit.rlim_cur);
    std::vector<void *> blocks;
    blocks.reserve(10000);
    for (;;) {
        void *block = malloc(large);
        if (block == nullptr) break;
        blocks.push_back(block);
        CHECK(blocks.size() < 10000, "the limit of %zu does not bind", (size_t)limit.rlim_cur);
    }
    handled = 0;
    std::set_new_handler(give_the_reserve_back);
    void *block = ::operator new(large);
    EQ(handled, 1);
    fill(block, large, 1);
    FILLED(block, large, 1);
    ::operator delete(block);
    for (void *other : blocks) free(other);
}

struct alignas(256) Wide {
    unsigned char bytes[512];
};

static void containers_work() {
    std::map<int, std::string> names;
    for (int i = 0; i < 20000; i++) names[i * 7919 % 20011] = std::string(i % 300, 'a');
    std::vector<std::unique_ptr<Wide>> wide;
    for (int i = 0; i < 500; i++) {
        wide.emplace_back(new Wide);
        ALIGNED(wide.back().get(), 256);
        fill(wide.back().get(), sizeof(Wide), (unsigned)i);
    }
    auto shared = std::make_shared<std::vector<std::string>>(1000, std::string(100, 'b'));
    std::vector<std::shared_ptr<std::vector<std::string>>> copies(100, shared);
    for (int i = 0; i < 500; i++) FILLED(wide[i].get(), sizeof(Wide), (unsigned)i);
    size_t total = 0;
    for (auto &name : names) total += name.second.size();
    CHECK(names.size() == 20000 && total > 2000000, "the map has %zu, %zu", names.size(), total);
    EQ((*copies[99])[999].size(), 100);
}

CASES(CASE(all_forms_are_one_allocators), CASE(plain_forms), CASE(sized_forms),
      CASE(aligned_forms), CASE(deleting_null_does_nothing), CASE(new_of_zero_is_unique),
      CASE(failure_throws_bad_alloc), CASE(failure_with_nothrow_returns_null),
      CASE(the_new_handler_is_called_until_it_gives_up), CASE(the_new_handler_may_throw),
      CASE(the_new_handler_makes_memory), CASE(containers_work))
