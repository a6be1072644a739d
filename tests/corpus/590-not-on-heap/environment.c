/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees what getenv returns. */
#include "../corpus.h"
int main(void) {
    setenv("CORPUS", "a value of the environment", 1);
    char *value = getenv(hidden("CORPUS"));
    if (DEFECT(0, 1)) value = strdup(value);
    printf("%s\n", value);
    free(DEFECT(getenv("PATH") ? getenv("PATH") : value, value));
}
