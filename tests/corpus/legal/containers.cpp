/* Uses containers and algorithms of the standard library, grown and shrunk. */
#include "../corpus.h"
#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

int main() {
    std::vector<std::string> words;
    for (int i = 0; i < 2000; i++) words.push_back(std::string(static_cast<size_t>(i % 90), 'w') + std::to_string(i));
    std::sort(words.begin(), words.end());
    std::unordered_map<std::string, int> counts;
    for (const auto &word : words) counts[word.substr(0, 5)]++;
    std::map<int, std::list<std::string>> groups;
    for (const auto &count : counts) groups[count.second].push_back(count.first);
    std::deque<std::string> queue(words.begin(), words.end());
    while (queue.size() > 10) queue.pop_front(), queue.pop_back();
    std::vector<bool> bits(1001, true);
    bits.resize(77);
    words.erase(words.begin(), words.begin() + 1500);
    words.shrink_to_fit();
    printf("%zu %zu %zu %zu\n", words.size(), groups.size(), queue.size(), bits.size());
}
