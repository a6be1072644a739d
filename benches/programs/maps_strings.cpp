// Maps, sets and strings of the C++ standard library, by operator new and delete.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

static std::uint64_t state = 42;

static std::uint64_t below(std::uint64_t bound) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((z ^ (z >> 31)) >> 32) * bound >> 32;
}

int main(int, char **arguments) {
    const long iterations = std::atol(arguments[1]);
    std::map<std::string, std::vector<std::string>> ordered;
    std::unordered_map<std::uint64_t, std::string> hashed;
    std::set<std::string> names;
    std::list<std::string> recent;
    std::uint64_t sum = 0;
    for (long i = 0; i < iterations; ++i) {
        std::string name = "the name of " + std::to_string(below(20000));
        auto &values = ordered[name];
        values.push_back(name.substr(below(8)) + std::string(below(60), 'x'));
        if (values.size() > 4) {
            sum += values.back().size();
            ordered.erase(name);
        }
        hashed[below(30000)] = name + "!";
        hashed.erase(below(30000));
        if (!names.insert(name).second) {
            names.erase(name);
        }
        recent.push_back(std::move(name));
        if (recent.size() > 1000) {
            sum += recent.front().size();
            recent.pop_front();
        }
    }
    sum += ordered.size() + hashed.size() + names.size();
    std::printf("%llu\n", static_cast<unsigned long long>(sum));
}
