/* passed_over.c - passed_over.h. A kind is an ending of few letters and digits; all else, and what
 * comes when the table is full, is among the others. */
#include "passed_over.h"
#include "cam_minmax.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID_KINDS = 5 };

/* A letter without its capital, or a digit; 0: neither. */
static char plain_letter(char c) {
  if (c >= 'A' && c <= 'Z')
    return (char)(c - 'A' + 'a');
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
    return c;
  return 0;
}

static void add_files(passed_over *passed, const char *ending, int64_t files) {
  int at = 0;
  while (at < passed->n_kinds && strcmp(passed->kinds[at].ending, ending))
    at++;
  if (at == PASSED_KINDS)
    return;
  if (at == passed->n_kinds) {
    strcpy(passed->kinds[at].ending, ending);
    passed->kinds[at].files = 0;
    passed->n_kinds++;
  }
  passed->kinds[at].files += files;
}

void passed_over_add(passed_over *passed, const char *name) {
  char ending[PASSED_KIND_MAX + 1] = "";
  const char *point = strrchr(name, '.');
  passed->files++;
  if (!point || !point[1] || strlen(point + 1) > PASSED_KIND_MAX)
    return;
  for (int i = 0; point[1 + i]; i++) {
    ending[i] = plain_letter(point[1 + i]);
    if (!ending[i])
      return;
  }
  add_files(passed, ending, 1);
}

void passed_over_join(passed_over *passed, const passed_over *more) {
  passed->files += more->files;
  for (int i = 0; i < more->n_kinds; i++)
    add_files(passed, more->kinds[i].ending, more->kinds[i].files);
}

/* The most files first, then as the endings are sorted. */
static int compare_kinds(const void *a, const void *b) {
  const struct passed_kind *one = a, *other = b;
  if (one->files != other->files)
    return one->files < other->files ? 1 : -1;
  return strcmp(one->ending, other->ending);
}

const char *passed_over_words(passed_over *passed, char out[PASSED_WORDS_MAX]) {
  const char *comma = "";
  int64_t left = passed->files;
  size_t used = 0;
  out[0] = '\0';
  qsort(passed->kinds, (size_t)passed->n_kinds, sizeof *passed->kinds, compare_kinds);
  for (int i = 0; i < min_int(passed->n_kinds, SAID_KINDS); i++) {
    const struct passed_kind *kind = &passed->kinds[i];
    used += (size_t)snprintf(out + used, PASSED_WORDS_MAX - used, "%s%" PRId64 " .%s", comma,
                             kind->files, kind->ending);
    if (used >= PASSED_WORDS_MAX)
      return out;
    left -= kind->files;
    comma = ", ";
  }
  if (left)
    snprintf(out + used, PASSED_WORDS_MAX - used, "%s%" PRId64 " other%s", comma, left,
             left == 1 ? "" : "s");
  return out;
}
