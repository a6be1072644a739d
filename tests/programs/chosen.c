/* A library that uses the function of chooses.c: it is relocated behind that one, and in front of what is
 * preloaded first. */
#include <stdio.h>

extern int choice(void);
static int (*const address)(void) = choice;

__attribute__((constructor)) static void use(void) { printf("chose %d\n", address()); }
