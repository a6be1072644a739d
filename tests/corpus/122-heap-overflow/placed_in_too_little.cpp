/* CWE: 122
 * Kinds: heap-overflow
 * Found: default
 *
 * Constructs an object by placement in a block that is smaller than it. */
#include "../corpus.h"
#include <new>

struct Packet {
    uint64_t sequence;
    uint8_t body[56];
    explicit Packet(uint64_t n) : sequence(n) {
        for (auto &byte : body) byte = 0x5a;
    }
};

int main() {
    void *memory = malloc(number(DEFECT(56, sizeof(Packet))));
    Packet *packet = new (memory) Packet(9);
    seen(packet);
    printf("%u\n", packet->body[3]);
    packet->~Packet();
    free(memory);
}
