/* csv.c - csv.h. A cell is written over itself: what it becomes is never longer than what it was,
 * and its NUL falls on its end, which has been looked at before. */
#include "csv.h"
#include <inttypes.h>
#include <string.h>

typedef struct cell {
  char *text;
  char end; /* what comes behind it: ',', '\n' or, at the end of all, '\0' */
} cell;

cam_code csv_open(csv_reader *out, char *text, size_t n, cam_error *error) {
  *out = (csv_reader){.text = text, .n = n, .behind = 1};
  if (memchr(text, '\0', n))
    return cam_fail(error, CAM_E_BODY, "a NUL: not a text");
  if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
    out->at = 3;
  return CAM_OK;
}

/* What is at an offset from here; '\0' behind the end, and nowhere else. */
static char peek(const csv_reader *csv, size_t ahead) {
  if (csv->n - csv->at <= ahead)
    return '\0';
  return csv->text[csv->at + ahead];
}

/* The bytes of a line's end that begins here, 0: none does. */
static size_t line_end(const csv_reader *csv) {
  if (peek(csv, 0) == '\n')
    return 1;
  if (peek(csv, 0) == '\r' && peek(csv, 1) == '\n')
    return 2;
  return 0;
}

static void pass_blanks(csv_reader *csv) {
  while (peek(csv, 0) == ' ' || peek(csv, 0) == '\t')
    csv->at++;
}

/* Goes past the comma or line end behind a cell. False: something else stands there. */
static bool take_delimiter(csv_reader *csv, char *end) {
  const size_t n = line_end(csv);
  if (n) {
    *end = '\n';
    csv->at += n;
    csv->behind++;
  } else if (peek(csv, 0) == ',') {
    *end = ',';
    csv->at++;
  } else if (csv->at == csv->n) {
    *end = '\0';
  } else {
    return false;
  }
  return true;
}

/* From behind the first quote to behind the last. */
static cam_code quoted_cell(csv_reader *csv, cell *out, cam_error *error) {
  char *to = out->text = csv->text + csv->at;
  while (csv->at < csv->n && (peek(csv, 0) != '"' || peek(csv, 1) == '"')) {
    if (peek(csv, 0) == '"')
      csv->at++;
    if (peek(csv, 0) == '\n')
      csv->behind++;
    *to++ = csv->text[csv->at++];
  }
  if (csv->at == csv->n)
    return cam_fail(error, CAM_E_BODY, "line %" PRId64 ": a quote without its end", csv->line);
  csv->at++;
  pass_blanks(csv);
  if (!take_delimiter(csv, &out->end))
    return cam_fail(error, CAM_E_BODY, "line %" PRId64 ": text behind a quoted cell", csv->behind);
  *to = '\0';
  return CAM_OK;
}

static void plain_cell(csv_reader *csv, cell *out) {
  char *to = out->text = csv->text + csv->at;
  while (!take_delimiter(csv, &out->end)) {
    const char c = csv->text[csv->at++];
    if (c != ' ' && c != '\t')
      to = csv->text + csv->at;
  }
  *to = '\0';
}

static cam_code next_cell(csv_reader *csv, cell *out, cam_error *error) {
  pass_blanks(csv);
  if (peek(csv, 0) == '"') {
    csv->at++;
    return quoted_cell(csv, out, error);
  }
  plain_cell(csv, out);
  return CAM_OK;
}

static void skip_empty_lines(csv_reader *csv) {
  pass_blanks(csv);
  for (size_t n = line_end(csv); n; n = line_end(csv)) {
    csv->at += n;
    csv->behind++;
    pass_blanks(csv);
  }
}

int csv_next(csv_reader *csv, char *cells[CSV_MAX_COLUMNS], cam_error *error) {
  *error = (cam_error){0};
  skip_empty_lines(csv);
  if (csv->at == csv->n)
    return 0;
  csv->line = csv->behind;
  int n = 0;
  cell found = {NULL, ','};
  while (found.end == ',') {
    if (n == CSV_MAX_COLUMNS) {
      cam_fail(error, CAM_E_BODY, "line %" PRId64 ": more than %d cells", csv->line, n);
      return 0;
    }
    if (next_cell(csv, &found, error))
      return 0;
    cells[n++] = found.text;
  }
  return n;
}
