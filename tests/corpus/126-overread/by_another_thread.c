/* CWE: 126
 * Kinds: heap-overflow
 * Found: guards
 *
 * A second thread reads what the first wrote, in blocks of a rounded size. */
#include "../corpus.h"
struct stream {
    unsigned char *bytes;
    size_t length;
    unsigned total;
};

static void consume(void *argument) {
    struct stream *stream = argument;
    for (size_t at = 0; at < stream->length; at += 256) {
        size_t piece = stream->length - at < 256 ? DEFECT(256, stream->length - at) : 256;
        for (size_t i = 0; i < piece; i++) stream->total += stream->bytes[at + i];
    }
}

int main(void) {
    struct stream stream = {calloc(1600, 1), number(1600), 0};
    in_thread(consume, &stream);
    printf("%d\n", stream.total < 100000);
    free(stream.bytes);
}
