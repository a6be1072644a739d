/* Uses the memory resources of the standard library over new and over a block of malloc. */
#include "../corpus.h"
#include <memory_resource>
#include <string>
#include <vector>

int main() {
    void *block = malloc(4000);
    {
        std::pmr::monotonic_buffer_resource fast(block, 4000);
        std::pmr::unsynchronized_pool_resource pool(&fast);
        std::pmr::vector<std::pmr::string> texts(&pool);
        for (int i = 0; i < 300; i++) texts.emplace_back("a text that does not fit into the string itself");
        printf("%zu\n", texts.size());
    }
    free(block);
}
