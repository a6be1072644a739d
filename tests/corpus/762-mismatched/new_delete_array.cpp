/* CWE: 762
 * Kinds: mismatched-free
 * Found: default
 *
 * Deletes one object as if it were an array. */
#include "../corpus.h"
struct Frame {
    unsigned char pixels[3000];
};

int main() {
    Frame *frame = new Frame;
    memset(frame->pixels, 7, sizeof frame->pixels);
    printf("%u\n", frame->pixels[2999]);
#ifdef FIXED
    delete frame;
#else
    delete[] frame;
#endif
}
