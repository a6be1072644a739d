/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Copies as many bytes as the source has, not as many as the target holds; the source is on
 * the stack. */
#include "../corpus.h"
struct reply {
    char text[40];
};

int main(void) {
    char received[96];
    memset(received, 'r', sizeof received);
    struct reply *reply = malloc(sizeof *reply);
    memcpy(reply->text, received, number(DEFECT(sizeof received, sizeof reply->text)));
    printf("%.8s\n", reply->text);
    free(reply);
}
