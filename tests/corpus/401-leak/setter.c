/* CWE: 401
 * Kinds: leak
 * Found: leaks
 *
 * Sets a member to a new text without freeing the old one. */
#include "../corpus.h"
struct window {
    char *title;
    int width;
};

NOINLINE static void set_title(struct window *window, const char *title) {
    char *old = window->title;
    asprintf(&window->title, "%s (%d)", title, window->width);
    free(DEFECT(NULL, old));
}

static struct window window = {NULL, 640};

int main(void) {
    set_title(&window, hidden("first"));
    set_title(&window, hidden("second"));
    set_title(&window, hidden("third"));
    scrub();
    printf("%s\n", window.title);
    free(window.title);
    window.title = NULL;
}
