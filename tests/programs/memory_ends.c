/* Short ranges of the heap that go one byte too far, or into the next block, or begin where a freed
 * block may have a link.
 *
 *     memory_ends live      in blocks of all sizes
 *     memory_ends linked    in blocks that the allocator has on its lists
 *
 * With HAKMEM_ON_ERROR=continue nothing is read or written behind a block, and nothing written to a
 * freed one. Prints how many calls were wrong, how many of them did that, and how many of the freed
 * blocks had a link. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 300
#define BLOCKS 400

static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile shift)(void *, const void *, size_t) = memmove;
static void *(*volatile set)(void *, int, size_t) = memset;

static unsigned char other[MOST + 1];
static int wrong, gone_on;

/* Reads n bytes, of which the last may not be read. */
static void read_too_many(const unsigned char *from, size_t n) {
    other[n - 1] = 'x';
    (wrong++ % 2 ? copy : shift)(other, from, n);
    gone_on += other[n - 1] != 'x';
}

/* The bytes of a block that is as large as it says are all right to use, whatever they are. */
static int use_all(unsigned char *block, size_t size) {
    for (size_t from = 0; from < size; from += 1 + from % 5) {
        for (size_t at = 0; at < size; at++) block[at] = (unsigned char)(0xde + at % 3 * (from & 1));
        copy(other, block + from, size - from);
        if (other[size - from - 1] != block[size - 1]) return 0;
        set(block + from, 'b', size - from);
        if (block[size - 1] != 'b') return 0;
    }
    return 1;
}

static int live(void) {
    for (size_t size = 1; size < MOST; size++) {
        unsigned char *below = malloc(size), *block = malloc(size), *above = malloc(size);
        if (!use_all(below, size) || !use_all(block, size) || !use_all(above, size)) return 1;
        size_t starts[] = {0, size / 2, size - 1};
        for (size_t which = 0; which < 3; which++) {
            unsigned char *start = block + starts[which];
            read_too_many(start, size - starts[which] + 1);
            if (above > start && above + size - start <= MOST) {
                read_too_many(start, above + size - start);
            }
        }
        free(below);
        free(block);
        free(above);
    }
    printf("%d wrong, %d went on\n", wrong, gone_on);
    return 0;
}

static int linked(void) {
    static unsigned char *blocks[BLOCKS];
    int links = 0;
    for (int index = 0; index < BLOCKS; index++) blocks[index] = malloc(20);
    for (int index = 0; index < BLOCKS; index++) memset(blocks[index], 'b', 20);
    for (int index = 0; index < BLOCKS; index++) free(blocks[index]);
    for (int index = 0; index < BLOCKS; index++) {
        size_t offset = index % 8, n = 1 + index / 8 % (8 - offset);
        volatile unsigned char *block = blocks[index];
        unsigned char before = block[offset];
        links += block[0] != 0xde || block[7] != 0xde;
        copy(other, blocks[index] + offset, n);
        set(blocks[index] + offset, before + 1, n);
        wrong += 2;
        gone_on += block[offset] != before;
    }
    printf("%d wrong, %d went on, %d links\n", wrong, gone_on, links);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "live") == 0) return live();
    if (count == 2 && strcmp(arguments[1], "linked") == 0) return linked();
    return 2;
}
