/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A function frees its argument when it fails, and so does the caller. */
#include "../corpus.h"
NOINLINE static int send(double *samples, int count) {
    if (count > 20) {
        if (DEFECT(1, 0)) free(samples);
        return -1;
    }
    return 0;
}

int main(void) {
    double *samples = calloc(30, sizeof *samples);
    int status = send(samples, (int)number(30));
    if (status < 0) printf("not sent\n");
    free(samples);
}
