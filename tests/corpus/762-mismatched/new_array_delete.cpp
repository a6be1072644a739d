/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Deletes an array of new[] as if it were one object. */
#include "../corpus.h"
int main() {
    short *samples = new short[number(120)];
    for (int i = 0; i < 120; i++) samples[i] = static_cast<short>(i);
    seen(samples);
    printf("%d\n", samples[119]);
#ifdef FIXED
    delete[] samples;
#else
    delete samples;
#endif
}
