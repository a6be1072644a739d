// The story: a thread writes past the end of its buffer, into a neighbour's session, and ends. The
// main thread uses the session later, and dies.

#include <cstdlib>
#include <cstring>
#include <thread>

struct Session {
    void (*notify)(Session *);
    char name[40];
};

Session *session;
char *name_buffer;

static void ignore(Session *) {}

__attribute__((noinline)) char *make_buffer(std::size_t size) {
    auto *made = static_cast<char *>(std::malloc(size));
    made[0] = 0;
    return made;
}

__attribute__((noinline)) Session *make_session() {
    auto *made = new Session;
    made->notify = ignore;
    std::strcpy(made->name, "main");
    return made;
}

// The culprit: it takes the length of the text for the buffer's.
__attribute__((noinline)) void copy_name(char *to, const char *text) {
    std::memcpy(to, text, std::strlen(text)); // THE WRITE
    // Without this the call would be a jump, and this function on no stack.
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void use_session(Session *of) {
    of->notify(of);
    of->name[0]++;
}

int main() {
    // Neighbours: the buffer, and behind it the session.
    name_buffer = make_buffer(48);
    session = make_session();
    std::thread writer([] {
        char text[80];
        std::memset(text, 'A', sizeof text - 1);
        text[sizeof text - 1] = 0;
        copy_name(name_buffer, text);
    });
    writer.join();
    for (int i = 0; i < 1000; i++) std::free(std::malloc(static_cast<std::size_t>(i)));
    use_session(session);
    return 0;
}
