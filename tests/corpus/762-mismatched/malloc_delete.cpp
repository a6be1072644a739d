/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Deletes an int of malloc. */
#include "../corpus.h"
int main() {
    int *value = static_cast<int *>(malloc(sizeof *value));
    *value = static_cast<int>(number(6));
    seen(value);
    printf("%d\n", *value);
#ifdef FIXED
    free(value);
#else
    delete value;
#endif
}
