/* CWE: 127
 * Kinds: heap-underflow
 * Found: guards
 *
 * Prints the object in front of the one that a search in an array of objects found. */
#include "../corpus.h"
struct Person {
    char name[40];
    int64_t born;
};

NOINLINE static const Person *find(const Person *people, int64_t born) {
    while (people->born != born) ++people;
    return people;
}

int main() {
    Person *people = new Person[5]();
    for (int i = 0; i < 5; i++) people[i].born = 1900 + i;
    const Person *found = find(people, static_cast<int64_t>(number(DEFECT(1900, 1903))));
    Person before = found[-1];
    printf("%d\n", before.born != 1815);
    delete[] people;
}
