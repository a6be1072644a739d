/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * Frees a block of 100 KB by way of a union, and then by its own name. */
#include "../corpus.h"
union value {
    char *text;
    void *memory;
};

int main(void) {
    union value value;
    char *text = calloc(number(100 << 10), 1);
    value.text = text;
    seen(&value);
    free(value.memory);
    value.memory = NULL;
    if (DEFECT(1, 0)) free(hidden(text));
    printf("%d\n", value.text == NULL);
}
