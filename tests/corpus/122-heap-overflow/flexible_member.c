/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * A message with a flexible array at its end is allocated without the terminator of its text. */
#include "../corpus.h"
struct message {
    uint32_t kind;
    uint16_t length;
    char text[];
};

int main(void) {
    const char *text = hidden("a message of no import");
    size_t length = strlen(text);
    struct message *message = malloc(offsetof(struct message, text) + length + DEFECT(0, 1));
    message->kind = 1;
    message->length = (uint16_t)length;
    for (size_t i = 0; i < length; i++) message->text[i] = text[i];
    message->text[length] = 0;
    seen(message);
    printf("%s\n", message->text);
    free(message);
}
