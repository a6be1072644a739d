/* Passes shared, weak, unique and array owners around, also to another thread. */
#include "../corpus.h"
#include <memory>
#include <thread>
#include <vector>

struct Node : std::enable_shared_from_this<Node> {
    std::vector<std::shared_ptr<Node>> children;
    std::weak_ptr<Node> parent;
    std::unique_ptr<int[]> payload{new int[13]()};
};

int main() {
    auto root = std::make_shared<Node>();
    for (int i = 0; i < 20; i++) {
        auto child = std::make_shared<Node>();
        child->parent = root;
        child->payload[12] = i;
        root->children.push_back(std::move(child));
    }
    int total = 0;
    std::thread thread([root, &total] {
        for (const auto &child : root->children) total += child->payload[12] + (child->parent.lock() == root);
    });
    thread.join();
    std::unique_ptr<Node> alone(new Node);
    std::shared_ptr<int> with_deleter(static_cast<int *>(malloc(4)), free);
    *with_deleter = 1;
    printf("%d\n", total + *with_deleter);
}
