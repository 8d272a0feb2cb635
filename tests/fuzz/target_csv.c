/* target_csv.c - a list of labelled photos: what is read of a CSV file and written in quotes is
 * read as the same again; no path and no class is empty. */
#include "cli/csv.h"
#include "cli/photoset_read.h"
#include "fuzz.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_cell(FILE *out, const char *cell) {
  fputc('"', out);
  for (; *cell; cell++) {
    if (*cell == '"')
      fputc('"', out);
    fputc(*cell, out);
  }
  fputc('"', out);
}

/* The records of text up to its first error, every cell in quotes; for free(). */
static char *in_quotes(const uint8_t *bytes, size_t n, size_t *n_out, bool *whole) {
  char *copy = fuzz_text(bytes, n), *out = NULL, *cells[CSV_MAX_COLUMNS];
  FILE *file = open_memstream(&out, n_out);
  csv_reader csv;
  cam_error error;
  PROMISE(file);
  if (!csv_open(&csv, copy, n, &error)) {
    int64_t line = 0;
    for (int k = csv_next(&csv, cells, &error); k; k = csv_next(&csv, cells, &error)) {
      PROMISE(csv.line > line && csv.at <= n);
      line = csv.line;
      for (int i = 0; i < k; i++) {
        PROMISE(cells[i] >= copy && cells[i] + strlen(cells[i]) <= copy + n);
        write_cell(file, cells[i]);
        fputc(i + 1 < k ? ',' : '\n', file);
      }
    }
  }
  *whole = !error.code;
  PROMISE(!error.code || error.code == CAM_E_BODY);
  fclose(file);
  free(copy);
  return out;
}

static void read_photos(const uint8_t *bytes, size_t n) {
  photoset set = {0};
  photoset_draft draft = {.set = &set};
  cam_error error = {0};
  char *text = fuzz_text(bytes, n);
  const cam_code code = photoset_read_csv(&draft, "folder/", text, n, &error);
  PROMISE(code == error.code && (!code || code == CAM_E_BODY));
  for (int i = 0; i < set.n; i++) {
    PROMISE(*draft.names[i] && strcmp(set.photos[i].path, "folder/"));
    free(draft.names[i]);
  }
  free(draft.names);
  free(text);
  photoset_free(&set);
}

static void run(const uint8_t *bytes, size_t n) {
  size_t n_once, n_twice;
  bool whole;
  char *once = in_quotes(bytes, n, &n_once, &whole);
  char *twice = in_quotes((const uint8_t *)once, n_once, &n_twice, &whole);
  PROMISE(whole && n_once == n_twice && !memcmp(once, twice, n_once));
  free(once);
  free(twice);
  read_photos(bytes, n);
}

const fuzz_target fuzz_csv = {run, NULL};
