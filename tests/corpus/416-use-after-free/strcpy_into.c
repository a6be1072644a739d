/* CWE: 416
 * Kinds: write-after-free, use-after-free
 * Found: guards
 *
 * Stores an answer by strcpy in a buffer whose session has been closed. */
#include "../corpus.h"
struct session {
    char *answer;
};

NOINLINE static void close_session(struct session *session) { free(session->answer); }

int main(void) {
    struct session session = {malloc(60)};
    strcpy(session.answer, "none");
    if (DEFECT(1, 0)) close_session(&session);
    strcpy(hidden(session.answer), hidden("forty-two, after some thinking"));
    if (DEFECT(0, 1)) close_session(&session);
    printf("answered\n");
}
