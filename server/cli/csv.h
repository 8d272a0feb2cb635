/* csv.h - a CSV file in memory (RFC 4180) -> one record after another. Lines end in LF or CR LF,
 * cells are parted by commas; a cell in quotes may hold commas, line ends and, doubled, quotes.
 * Blanks around a cell do not count unless they are within its quotes; empty lines and a byte order
 * mark are passed over. Untrusted input. Implemented in server/cli/csv.c. Thread: one at a time. */
#ifndef CSV_H
#define CSV_H
#include "cam_error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CSV_MAX_COLUMNS = 64 };

typedef struct csv_reader {
  char *text; /* [n + 1] borrowed and written over: cells lie in it */
  size_t n, at;
  int64_t line;   /* where the last record begins, from 1 */
  int64_t behind; /* the line that is read next */
} csv_reader;

/* What text[n] is does not matter, but it may be written. CAM_E_BODY: a NUL is in the text. */
cam_code csv_open(csv_reader *out, char *text, size_t n, cam_error *error);
/* The cells of the next record, each with its NUL, for as long as the text is there. 0: there are
 * no more, or error, CAM_E_BODY, which names the line: a quote without its end, text behind one,
 * too many cells. */
int csv_next(csv_reader *csv, char *cells[CSV_MAX_COLUMNS], cam_error *error);

#endif
