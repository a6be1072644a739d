/* Uses what strdup, strndup, asprintf, getline, getdelim, realpath and open_memstream
 * allocate. */
#include "../corpus.h"
int main(void) {
    char *first = strdup("first"), *second = strndup("second and more", 6), *third = NULL;
    int length = asprintf(&third, "%s, %s", first, second);
    FILE *file = tmpfile();
    fputs("a line\nand a much longer line that makes the buffer grow, and grow, and grow, and grow, and "
          "grow once more\n;separated;values", file);
    rewind(file);
    char *line = NULL, *value = NULL, *path = realpath("/", NULL), *memory = NULL;
    size_t room = 0, room_of_value = 0, size = 0;
    size_t total = 0;
    while (getline(&line, &room, file) > 8 || total++ == 0) continue;
    rewind(file);
    while (getdelim(&value, &room_of_value, ';', file) > 0) total++;
    fclose(file);
    FILE *stream = open_memstream(&memory, &size);
    for (int i = 0; i < 1000; i++) fprintf(stream, "%d,", i);
    fclose(stream);
    printf("%d %zu %s %zu\n", length, total, path, size);
    free(first), free(second), free(third), free(line), free(value), free(path), free(memory);
}
