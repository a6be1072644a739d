/* Passes bounds to functions of libc that are larger than the blocks, whose texts end before. */
#include "../corpus.h"
int main(void) {
    char *text = strdup("short"), *copy = malloc(6);
    size_t bound = number(1000);
    int result = strnlen(text, bound) == 5;
    result += strncmp(text, "shore", bound) != 0;
    result += memchr(text, 'r', 5) == text + 3;
    result += snprintf(copy, bound, "%.*s", (int)bound, text) == 5;
    result += strncat(strcpy(copy, "ab"), "cde", bound) == copy;
    char *again = strndup(text, bound);
    result += strcmp(again, text) == 0;
    printf("%d %s\n", result, copy);
    free(text), free(copy), free(again);
}
