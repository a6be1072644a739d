/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Frees a structure and not what its member points to. */
#include "../corpus.h"
struct person {
    char *name;
    int age;
};

static struct person *people[10];

NOINLINE static void make(int i) {
    people[i] = malloc(sizeof *people[i]);
    people[i]->name = strdup(hidden("somebody with a long enough name"));
    people[i]->age = i;
}

NOINLINE static void unmake(int i) {
#ifdef FIXED
    free(people[i]->name);
#endif
    free(people[i]);
    people[i] = NULL;
}

int main(void) {
    for (int i = 0; i < 10; i++) make(i);
    printf("%d\n", people[3]->age);
    for (int i = 0; i < 10; i++) unmake(i);
    scrub();
}
