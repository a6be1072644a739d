/* One thread allocates, a second writes, a third reallocates, and this one frees. */
#include "../corpus.h"
struct parcel {
    char *text;
    size_t length;
};

static void make(void *argument) {
    struct parcel *parcel = argument;
    parcel->length = 500;
    parcel->text = malloc(parcel->length);
}

static void fill(void *argument) {
    struct parcel *parcel = argument;
    memset(parcel->text, 'f', parcel->length);
}

static void grow(void *argument) {
    struct parcel *parcel = argument;
    parcel->text = realloc(parcel->text, parcel->length * 100);
}

int main(void) {
    struct parcel parcels[40];
    for (int i = 0; i < 40; i++) {
        in_thread(make, &parcels[i]);
        in_thread(fill, &parcels[i]);
        if (i % 2) in_thread(grow, &parcels[i]);
    }
    unsigned total = 0;
    for (int i = 0; i < 40; i++) {
        total += sum(parcels[i].text, parcels[i].length);
        free(parcels[i].text);
    }
    printf("%u\n", total);
}
