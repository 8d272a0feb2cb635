/* target_lines.c - a file that --resume goes on with, and the same bytes as a list of paths: what
 * is whole stays as it is, what is cut off is half a line, and a second look finds the same. */
#include "cli/line_file.h"
#include "cli/path_list.h"
#include "fuzz.h"
#include <string.h>
#include <sys/stat.h>

static size_t size_of(const char *path) {
  struct stat status;
  PROMISE(!stat(path, &status));
  return (size_t)status.st_size;
}

/* Opens the file; how many lines it has, or -1: it is refused. */
static int64_t look(const char *path, bool resume) {
  line_file file;
  name_set there = {0};
  int64_t lines = 0;
  cam_error error = {0};
  const cam_code code = line_file_open(&file, path, resume, &there, &lines, &error);
  PROMISE(code == error.code && (!code || code == CAM_E_IO));
  line_file_close(&file, &error);
  name_set_free(&there);
  return code ? -1 : lines;
}

static void resume(const uint8_t *bytes, size_t n) {
  const char *path = fuzz_file(bytes, n);
  const int64_t lines = look(path, true);
  const size_t left = size_of(path);
  const uint8_t *end = memrchr(bytes, '\n', n);
  size_t whole = 0;
  if (end)
    whole = (size_t)(end - bytes) + 1;
  PROMISE(left == (lines < 0 ? n : whole));
  if (lines < 0)
    return;
  size_t ends = 0;
  for (size_t i = 0; i < n; i++)
    ends += bytes[i] == '\n';
  PROMISE((size_t)lines == ends && look(path, true) == lines && size_of(path) == whole);
  PROMISE((look(path, false) < 0) == (lines > 0) && size_of(path) == whole);
}

static void read_list(const uint8_t *bytes, size_t n, char end) {
  static path_list list;
  static char out[PATH_LIST_MAX + 1];
  cam_error bad, error = {0};
  size_t at = 0;
  PROMISE(!path_list_open(&list, fuzz_file(bytes, n), end, &error));
  while (path_list_next(&list, out, &bad, &error)) {
    while (at < n && bytes[at] == (uint8_t)end)
      at++;
    const uint8_t *stop = memchr(bytes + at, end, n - at);
    size_t length = n - at;
    if (stop)
      length = (size_t)(stop - bytes) - at;
    const bool odd = length > PATH_LIST_MAX || memchr(bytes + at, 0, length);
    PROMISE(length && odd == (bad.code != CAM_OK));
    PROMISE(odd || (strlen(out) == length && !memcmp(out, bytes + at, length)));
    at += length;
  }
  while (at < n && bytes[at] == (uint8_t)end)
    at++;
  PROMISE(at == n && !error.code);
  path_list_close(&list);
}

static void run(const uint8_t *bytes, size_t n) {
  resume(bytes, n);
  read_list(bytes, n, '\n');
  read_list(bytes, n, '\0');
}

const fuzz_target fuzz_lines = {run, NULL};
