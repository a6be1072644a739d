/* Uses functions of libc that keep blocks of their own: regular expressions, glob, trees,
 * locales, directories. */
#include "../corpus.h"
#include <dirent.h>
#include <glob.h>
#include <locale.h>
#include <regex.h>
#include <search.h>

static int compare(const void *a, const void *b) { return strcmp(a, b); }

int main(void) {
    regex_t expression;
    regmatch_t match[2];
    regcomp(&expression, "([a-z]+)[0-9]", REG_EXTENDED);
    int found = regexec(&expression, "123abc9", 2, match, 0) == 0;
    regfree(&expression);
    glob_t paths;
    found += glob("/*", 0, NULL, &paths) == 0;
    globfree(&paths);
    void *tree = NULL;
    char *keys[4] = {"b", "a", "d", "c"};
    for (int i = 0; i < 4; i++) tsearch(keys[i], &tree, compare);
    for (int i = 0; i < 4; i++) tdelete(keys[i], &tree, compare);
    locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);
    freelocale(locale);
    setlocale(LC_ALL, "");
    struct dirent **entries;
    int count = scandir("/", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    hcreate(30);
    hdestroy();
    printf("%d %d\n", found, count > 2);
}
