/* leaks_plugin.c: a library that keeps pointers. */

static void *volatile kept;
static __thread void *volatile kept_by_thread[100];

void keep(void *block) { kept = block; }

void keep_by_thread(void *block) { kept_by_thread[50] = block; }
