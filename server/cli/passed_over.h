/* passed_over.h - files of a folder that are no photos by their names, counted by kind. Implemented
 * in server/cli/passed_over.c. Thread: one at a time. */
#ifndef PASSED_OVER_H
#define PASSED_OVER_H
#include <stdint.h>

enum { PASSED_KINDS = 32, PASSED_KIND_MAX = 8, PASSED_WORDS_MAX = 128 };

typedef struct passed_over {
  int64_t files; /* all of them */
  int n_kinds;
  struct passed_kind {
    char ending[PASSED_KIND_MAX + 1]; /* "heic", without capitals */
    int64_t files;
  } kinds[PASSED_KINDS]; /* [n_kinds] */
} passed_over;           /* all zero: none */

/* One more file, or all those of another count. */
void passed_over_add(passed_over *passed, const char *name);
void passed_over_join(passed_over *passed, const passed_over *more);
/* "36 .heic, 1 .md": the most frequent kinds, then "3 others". Sorts the kinds. Returns out. */
const char *passed_over_words(passed_over *passed, char out[PASSED_WORDS_MAX]);

#endif
