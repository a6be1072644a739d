// A library with C++'s operators of its own, as one has that is linked with `-static-libstdc++
// -Bsymbolic`: its `new` is no other's, and asks malloc.
#include <string>

extern "C" {

std::string *plugin_make() { return new std::string(100, 'x'); }

void plugin_drop(std::string *text) { delete text; }

int *plugin_array() { return new int[25]; }
}
