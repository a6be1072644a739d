/* Throws through constructors and threads, with owners that clean up, and with large
 * exceptions. */
#include "../corpus.h"
#include <future>
#include <memory>
#include <stdexcept>
#include <string>

struct Large : std::runtime_error {
    using std::runtime_error::runtime_error;
    char payload[3000] = {};
};

struct Fails {
    std::unique_ptr<char[]> first{new char[100]}, second{new char[5000]};
    std::string text = std::string(100, 'f');
    Fails() { throw Large("on purpose, and with a message that is not short"); }
};

int main() {
    int caught = 0;
    for (int i = 0; i < 20; i++) {
        try {
            std::make_shared<Fails>();
        } catch (const std::exception &error) {
            caught += static_cast<int>(strlen(error.what()));
        }
    }
    auto future = std::async(std::launch::async, []() -> int { throw Large("in a thread"); });
    try {
        caught += future.get();
    } catch (const Large &error) {
        caught += error.payload[2999] + 1;
    }
    printf("%d\n", caught);
}
