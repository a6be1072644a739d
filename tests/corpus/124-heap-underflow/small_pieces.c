/* CWE: 124
 * Kinds: heap-underflow
 * Found: default
 *
 * Counts runs of a symbol; a run is taken to have begun before the first symbol is there. */
#include "../corpus.h"
struct run {
    char symbol;
    unsigned char times;
};

int main(void) {
    const char *text = hidden("aaabbc");
    struct run *runs = calloc(6, sizeof *runs);
    size_t used = 0;
    char last = DEFECT(*text, 0);
    for (; *text; text++) {
        if (*text != last) runs[used++].symbol = *text;
        runs[used - 1].times++;
        last = *text;
    }
    seen(runs);
    printf("%d\n", used > 1);
    free(runs);
}
