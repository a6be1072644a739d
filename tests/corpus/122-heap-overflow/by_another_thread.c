/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Another thread fills the block that this one allocated, and frees. */
#include "../corpus.h"
struct job {
    char *buffer;
    size_t length;
};

static void fill(void *argument) {
    struct job *job = argument;
    for (size_t i = 0; i < job->length; i++) job->buffer[i] = (char)('a' + i % 26);
    seen(job->buffer);
}

int main(void) {
    struct job job = {malloc(300), number(DEFECT(303, 300))};
    in_thread(fill, &job);
    printf("%c\n", job.buffer[25]);
    free(job.buffer);
}
