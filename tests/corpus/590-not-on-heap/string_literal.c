/* CWE: 590
 * Kinds: invalid-free
 * Found: default
 *
 * The name of a structure is either a copy or a literal, and both are freed. */
#include "../corpus.h"
struct user {
    char *name;
};

NOINLINE static void set_name(struct user *user, const char *name) {
    user->name = name ? strdup(name) : DEFECT("unknown", strdup("unknown"));
}

int main(void) {
    struct user user;
    set_name(&user, hidden("me"));
    free(user.name);
    set_name(&user, hidden(NULL));
    printf("%s\n", user.name);
    free(user.name);
}
