/* Opens and closes a library whose constructors and buffers use the heap. */
#include "../corpus.h"
#include <dlfcn.h>

int main(void) {
    double result = 0;
    for (int i = 0; i < 3; i++) {
        void *library = dlopen("libm.so.6", RTLD_NOW);
        if (library == NULL) return 1;
        double (*root)(double) = (double (*)(double))dlsym(library, "sqrt");
        result += root(16);
        dlclose(library);
    }
    if (dlopen("a-library-that-is-not-there.so", RTLD_NOW) == NULL) result += dlerror() != NULL;
    printf("%.0f\n", result);
}
