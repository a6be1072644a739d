/* What is written into a free block that stands on its thread's list, where the list alone
 * serves (HAKMEM_TINY_SFC_ENABLE=0). The block is not the first of the list, so that the next
 * request does not come to it: only a walk along the list finds out. */
#include "check.h"

enum { SIZE = 1000, BLOCKS = 3 };

/* Three blocks on the list, the last one newest, after everything else of the class. */
static void *blocks[BLOCKS];
/* What the link of the oldest is XORed with: it has no next one. */
static uintptr_t key;

static void begin(void) {
    /* The slab has 64, the first of which is the observers'. */
    void *all[63];
    for (int i = 0; i < 63; i++) all[i] = malloc(SIZE);
    /* All blocks of the slab are the program's now, and the list is empty. */
    for (int i = 0; i < BLOCKS; i++) blocks[i] = all[i];
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    key = *(uintptr_t *)blocks[0];
}

/* Has the link of block `index` lead to `target`, takes the newest block, on which the list is
 * walked, and ends without another look at the list. */
static void lead(int index, void *target) {
    *(uintptr_t *)blocks[index] = (uintptr_t)target ^ key;
    CHECK(malloc(SIZE) == blocks[BLOCKS - 1], "the newest block was expected");
    _exit(0);
}

static void link_to_nowhere(void) {
    begin();
    lead(0, (void *)(uintptr_t)0x1000);
}

static void link_to_other_class(void) {
    void *other = malloc(100);
    begin();
    lead(0, other);
}

static void link_to_a_live_block(void) {
    begin();
    lead(0, (char *)blocks[2] + 1024);
}

static void link_to_null(void) {
    begin();
    lead(1, NULL);
}

static void link_back(void) {
    begin();
    lead(0, blocks[1]);
}

CASES(CASE(link_to_nowhere), CASE(link_to_other_class), CASE(link_to_a_live_block),
      CASE(link_to_null), CASE(link_back))
