// For the compiler, not to be run: many instances of nested templates.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Key {
    std::string text;
    std::tuple<int, long, double> parts;
    bool operator<(const Key &other) const {
        return std::tie(text, parts) < std::tie(other.text, other.parts);
    }
};

template <int N> struct Value {
    std::variant<int, std::string, std::vector<Key<N>>> content;
    std::shared_ptr<Value<N - 1>> below;
};

template <> struct Value<0> {
    std::variant<int, std::string> content;
};

template <int N> long work() {
    std::map<Key<N>, Value<N>> ordered;
    std::unordered_map<std::string, std::vector<Value<N>>> hashed;
    std::vector<std::function<long(long)>> steps;
    for (int i = 0; i < N + 3; ++i) {
        Key<N> key{std::to_string(i), {i, i, i}};
        Value<N> value;
        value.content = std::vector<Key<N>>{key};
        ordered[key] = value;
        hashed[key.text].push_back(std::move(value));
        steps.push_back([i](long x) { return x * i + N; });
    }
    std::vector<long> sums;
    for (auto &entry : ordered) {
        sums.push_back(std::visit([](auto &content) { return long(sizeof(content)); },
                                  entry.second.content));
    }
    std::sort(sums.begin(), sums.end(), std::greater<long>());
    long sum = std::accumulate(sums.begin(), sums.end(), long(hashed.size()));
    for (auto &step : steps) {
        sum = step(sum);
    }
    return sum + work<N - 1>();
}

template <> long work<0>() { return 0; }

int main() { return int(work<DEPTH>() & 1); }
