/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * main frees what a function registered by atexit frees as well. */
#include "../corpus.h"
static wchar_t *history;

static void clean_up(void) { free(history); }

int main(void) {
    atexit(clean_up);
    history = wcsdup(hidden(L"what has been"));
    printf("%zu\n", wcslen(history));
    free(DEFECT(history, NULL));
    return 2;
}
