/* CWE: 415
 * Kinds: double-free
 * Found: default
 *
 * A vector of pointers has one of them twice when all are deleted. */
#include "../corpus.h"
#include <algorithm>
#include <vector>

struct Particle {
    double place[3], speed[3];
};

int main() {
    std::vector<Particle *> particles;
    for (int i = 0; i < 10; i++) particles.push_back(new Particle{{1, 2, 3}, {0, 0, 0}});
    particles.push_back(particles[number(4)]);
    std::sort(particles.begin(), particles.end());
#ifdef FIXED
    particles.erase(std::unique(particles.begin(), particles.end()), particles.end());
#endif
    for (Particle *particle : particles) delete particle;
    printf("deleted\n");
}
