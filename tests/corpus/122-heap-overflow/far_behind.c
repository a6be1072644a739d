/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Writes one element far behind the end, so that what stands right behind it stays whole. */
#include "../corpus.h"
struct sample {
    double value;
    char note[24];
};

int main(void) {
    struct sample *samples = malloc(10 * sizeof *samples);
    for (int i = 0; i < 10; i++) samples[i].value = i;
    samples[number(DEFECT(13, 9))].value = 0.5;
    seen(samples);
    printf("%.1f\n", samples[1].value);
    free(samples);
}
