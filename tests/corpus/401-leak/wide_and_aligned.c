/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * A copy by wcsdup in one branch, an aligned block in the other; neither is given back. */
#include "../corpus.h"
NOINLINE static int64_t use(int way) {
    void *block;
    if (way & 1)
        block = wcsdup(hidden(L"wide characters need four bytes each"));
    else if (posix_memalign(&block, 256, 6000) == 0)
        memset(block, 0, 6000);
    else
        return -1;
    int64_t result = ((char *)block)[0] != 0;
    if (DEFECT(0, 1)) free(block);
    return result;
}

int main(void) {
    int64_t total = 0;
    for (int way = 0; way < 10; way++) total += use((int)number((size_t)way));
    scrub();
    printf("%d\n", (int)total);
}
