/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * Looks up an entry by a number of the input that nobody has compared with the count. */
#include "../corpus.h"
int main(void) {
    unsigned month = (unsigned)atoi(hidden(DEFECT("14", "11")));
    const char **names = malloc(12 * sizeof *names);
    for (int i = 0; i < 12; i++) names[i] = "a month";
    seen(names);
    const char *name = names[month];
    printf("%d\n", name != hidden("no month"));
    free(names);
}
