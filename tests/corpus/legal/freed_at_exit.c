/* Functions registered by atexit, a destructor and another thread's end free and allocate. */
#include "../corpus.h"
#include <pthread.h>

static char *global;
static pthread_key_t key;

static void late(void) {
    free(global);
    global = malloc(100);
    strcpy(global, "late");
    printf("%s\n", global);
}

__attribute__((destructor)) static void last(void) { free(global); }

static void of_thread(void *value) {
    char *copy = strdup(value);
    free(value);
    printf("%s\n", copy);
    free(copy);
}

static void work(void *unused) { pthread_setspecific(key, strdup(unused ? "" : "thread")); }

int main(void) {
    pthread_key_create(&key, of_thread);
    in_thread(work, NULL);
    global = strdup("early");
    atexit(late);
    return 0;
}
