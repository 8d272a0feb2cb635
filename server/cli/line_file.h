/* line_file.h - a file of JSON lines, one a photo, that grows by whole lines: whatever ends the
 * process, what is there are whole lines and at most one half behind them, which the next run cuts
 * off. Implemented in server/cli/line_file.c. Thread: one at a time. */
#ifndef LINE_FILE_H
#define LINE_FILE_H
#include "cam_error.h"
#include "name_set.h"
#include <stdint.h>

typedef struct line_file {
  int descriptor; /* -1: not open */
  int why;        /* errno of what could not be written */
  const char *name;
  char model[128]; /* "model" of the last line that was there and has one, as much as fits */
} line_file;

/* path: "-" is standard output. resume false: a file that is there must be without a line. true: it
 * is kept, and *there (of *n_there lines) gets file_name_key of each line. In both cases half a
 * line at its end is cut off. CAM_E_IO: it cannot be opened, another process writes it, it has
 * lines, or holds something else: then nothing has been changed. */
cam_code line_file_open(line_file *file, const char *path, bool resume, name_set *there,
                        int64_t *n_there, cam_error *error);
/* Writes text[0..n), a whole line with its end, in one piece where the system does so. CAM_E_IO. */
cam_code line_file_write(line_file *file, const char *text, size_t n, cam_error *error);
/* CAM_E_IO: what was written is not all there (close(2)). */
cam_code line_file_close(line_file *file, cam_error *error);

#endif
