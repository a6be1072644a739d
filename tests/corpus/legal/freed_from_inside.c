/* A structure holds its own allocator's functions, among them the one that frees it. */
#include "../corpus.h"
struct object {
    void *(*allocate)(size_t);
    void (*release)(void *);
    char *name;
};

static struct object *make(const char *name) {
    struct object *object = malloc(sizeof *object);
    *object = (struct object){malloc, free, NULL};
    object->name = strcpy(object->allocate(strlen(name) + 1), name);
    return object;
}

int main(void) {
    struct object *object = make("self-contained");
    printf("%s\n", object->name);
    object->release(object->name);
    object->release(object);
}
