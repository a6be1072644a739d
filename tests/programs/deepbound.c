/* A library whose allocator is that of the process, whoever opens it, and however: allocated when it
 * is opened, handed to the program, taken from it. */
#include <stdlib.h>
#include <string.h>

static char *at_start;

__attribute__((constructor)) static void begin(void) { at_start = strdup("from the start"); }

char *deepbound_first(void) { return at_start; }

void *deepbound_give(size_t bytes) { return malloc(bytes); }

void deepbound_take(void *block) { free(block); }

void *deepbound_allocator(void) { return (void *)malloc; }
