/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * A subject tells an observer of a change that has been deleted without leaving the list. */
#include "../corpus.h"
#include <algorithm>
#include <vector>

struct Observer {
    int64_t changes = 0;
    NOINLINE void tell() { changes++; }
};

struct Subject {
    std::vector<Observer *> observers;
    void change() {
        for (Observer *observer : observers) observer->tell();
    }
};

int main() {
    Subject subject;
    for (int i = 0; i < 3; i++) subject.observers.push_back(new Observer);
    Observer *gone = subject.observers[1];
#ifdef FIXED
    subject.observers.erase(subject.observers.begin() + 1);
#endif
    delete gone;
    subject.change();
    printf("changed\n");
    for (Observer *observer : subject.observers)
        if (observer != gone) delete observer;
}
