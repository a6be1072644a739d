// Does what it is told, a letter at a time, and prints a line when it has: `a` asks for a block of
// 4321 bytes, `t` has a new thread ask for it. Ends when there is nothing more to read.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) void *ask(void *unused) {
    (void)unused;
    void *volatile block = malloc(4321);
    return block;
}

int main(void) {
    for (int letter; (letter = getchar()) != EOF;) {
        pthread_t thread;
        if (letter == 'a') ask(NULL);
        if (letter == 't' && !pthread_create(&thread, NULL, ask, NULL)) pthread_join(thread, NULL);
        puts("done");
        fflush(stdout);
    }
    return 0;
}
