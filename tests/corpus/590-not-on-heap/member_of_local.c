/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * Frees, through a pointer to a pointer, the member of a local structure that was used in
 * place of a block. */
#include "../corpus.h"
struct reply {
    char *text, inline_text[16];
};

NOINLINE static void drop(char **text) {
    free(*text);
    *text = NULL;
}

NOINLINE static void answer(struct reply *reply, size_t length) {
    reply->text = length < sizeof reply->inline_text ? reply->inline_text : malloc(length + 1);
    memset(reply->text, 'r', length);
    reply->text[length] = 0;
}

int main(void) {
    struct reply reply;
    answer(&reply, number(30));
    drop(&reply.text);
    answer(&reply, number(10));
    printf("%s\n", reply.text);
    if (DEFECT(1, reply.text != reply.inline_text)) drop(hidden(&reply.text));
}
