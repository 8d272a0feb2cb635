/* line_file.c - line_file.h. Lines are told by how they begin, {"file":"a/cat.jpg", and by nothing
 * else: what follows may be megabytes. The file is locked (flock(2)), so that two runs never share
 * one. */
#include "line_file.h"
#include "cam_json.h"
#include "cam_minmax.h"
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_MAX = 256 * 1024, BLOCK = 256 * 1024 };

/* What is gone through to find out what is there. */
typedef struct line_scan {
  line_file *file;
  name_set *names;
  int64_t lines, whole, line_bytes; /* whole: bytes of whole lines */
  size_t n_head;
  bool no_memory;
  char head[HEAD_MAX]; /* how the present line begins */
  char block[BLOCK];
} line_scan;

static const char *skip_blanks(const char *text, const char *end) {
  while (text < end && (*text == ' ' || *text == '\t'))
    text++;
  return text;
}

/* Past text, which may have blanks before it; NULL: something else is there. */
static const char *skip_text(const char *at, const char *end, const char *text) {
  const size_t n = strlen(text);
  at = skip_blanks(at, end);
  if ((size_t)(end - at) < n || memcmp(at, text, n))
    return NULL;
  return at + n;
}

/* Past the JSON string that begins here; NULL: there is none. */
static const char *skip_string(const char *at, const char *end) {
  if (at == end || *at != '"')
    return NULL;
  for (at++; at < end && *at != '"'; at++)
    if (*at == '\\')
      at++;
  return at < end ? at + 1 : NULL;
}

/* Past the member of this name, whose value is a string: *value, to be freed with json_free. NULL:
 * it is not here. */
static const char *read_member(const char *at, const char *end, const char *name, json **value) {
  cam_error unused;
  at = skip_text(at, end, name);
  if (at)
    at = skip_text(at, end, ":");
  if (!at)
    return NULL;
  const char *text = skip_blanks(at, end);
  at = skip_string(text, end);
  if (!at)
    return NULL;
  *value = json_parse(text, (size_t)(at - text), CAM_E_IO, &unused);
  return *value ? at : NULL;
}

/* Past the member of this name and the comma behind it, if it is here; NULL: nothing follows. */
static const char *pass_member(const char *at, const char *end, const char *name, json **value) {
  const char *behind = read_member(at, end, name, value);
  if (behind)
    return skip_text(behind, end, ",");
  return at;
}

/* The line's model, where it has one: a line of an error has none. */
static void take_model(line_scan *scan, const char *at, const char *end) {
  json *id = NULL, *model = NULL;
  at = pass_member(at, end, "\"request_id\"", &id);
  if (at && read_member(at, end, "\"model\"", &model))
    snprintf(scan->file->model, sizeof scan->file->model, "%s", json_text(model));
  json_free(id);
  json_free(model);
}

/* A line's name: what stands behind "file", and, where a name is no text, its bytes behind
 * "file_base64", which is then enough. False: it is no line of ours, or no memory. */
static bool take_name(line_scan *scan) {
  const char *end = scan->head + scan->n_head;
  json *file = NULL, *bytes = NULL;
  const char *at = skip_text(scan->head, end, "{");
  if (at)
    at = read_member(at, end, "\"file\"", &file);
  if (!at)
    return false;
  at = skip_text(at, end, ",");
  if (at)
    at = pass_member(at, end, "\"file_base64\"", &bytes);
  if (at)
    take_model(scan, at, end);
  const char *name = json_text(bytes ? bytes : file);
  scan->no_memory = !name_set_add(scan->names, name, strlen(name));
  json_free(file);
  json_free(bytes);
  scan->lines++;
  return !scan->no_memory;
}

/* Goes through block[0..n). False: a line is none of ours. */
static bool take_block(line_scan *scan, size_t n) {
  for (size_t at = 0; at < n;) {
    const char *from = scan->block + at, *end = memchr(from, '\n', n - at);
    size_t piece = n - at;
    if (end)
      piece = (size_t)(end - from);
    const size_t kept = min_size(piece, HEAD_MAX - scan->n_head);
    memcpy(scan->head + scan->n_head, from, kept);
    scan->n_head += kept;
    scan->line_bytes += (int64_t)piece + (end != NULL);
    at += piece + (end != NULL);
    if (!end)
      break;
    if (!take_name(scan))
      return false;
    scan->whole += scan->line_bytes;
    scan->line_bytes = 0;
    scan->n_head = 0;
  }
  return true;
}

/* Whether a half line may be one of ours. */
static bool may_become_line(const line_scan *scan) {
  static const char begin[] = "{\"file\":\"";
  return !memcmp(scan->head, begin, min_size(scan->n_head, sizeof begin - 1));
}

static cam_code not_ours(const line_file *file, int64_t line, cam_error *error) {
  return cam_fail(error, CAM_E_IO,
                  "%.80s:%lld: not a line of `camserve explain --jsonl`, so it is left as it is",
                  file->name, (long long)line);
}

static cam_code bad_line(const line_file *file, const line_scan *scan, cam_error *error) {
  if (scan->no_memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the names in %.80s", file->name);
  return not_ours(file, scan->lines + 1, error);
}

static cam_code io_error(line_file *file, const char *what, cam_error *error) {
  file->why = errno;
  return cam_fail(error, CAM_E_IO, "%.80s: cannot be %s: %s", file->name, what, strerror(errno));
}

/* Reads all that is there and cuts off the half line. */
static cam_code read_lines(line_file *file, line_scan *scan, bool resume, cam_error *error) {
  ssize_t n;
  while ((n = read(file->descriptor, scan->block, sizeof scan->block)) > 0)
    if (!take_block(scan, (size_t)n))
      return bad_line(file, scan, error);
  if (n < 0)
    return io_error(file, "read", error);
  if (!may_become_line(scan))
    return not_ours(file, scan->lines + 1, error);
  if (scan->lines && !resume)
    return cam_fail(error, CAM_E_IO,
                    "%.80s has %lld line%s; --resume goes on with it; remove it to begin anew",
                    file->name, (long long)scan->lines, cli_plural((int)min_int64(scan->lines, 2)));
  if (scan->line_bytes && ftruncate(file->descriptor, scan->whole))
    return io_error(file, "cut", error);
  return CAM_OK;
}

static cam_code prepare(line_file *file, bool resume, name_set *there, int64_t *n_there,
                        cam_error *error) {
  struct stat status;
  if (fstat(file->descriptor, &status))
    return io_error(file, "opened", error);
  if (!S_ISREG(status.st_mode) && !resume)
    return CAM_OK; /* a pipe, /dev/null */
  if (!S_ISREG(status.st_mode))
    return cam_fail(error, CAM_E_IO, "%.80s: no regular file, which --resume needs", file->name);
  if (flock(file->descriptor, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
    return cam_fail(error, CAM_E_IO, "%.80s: another camserve is writing it", file->name);
  line_scan *scan = calloc(1, sizeof *scan);
  if (!scan)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory to read %.80s", file->name);
  scan->file = file;
  scan->names = there;
  const cam_code code = read_lines(file, scan, resume, error);
  *n_there = scan->lines;
  free(scan);
  return code;
}

cam_code line_file_open(line_file *file, const char *path, bool resume, name_set *there,
                        int64_t *n_there, cam_error *error) {
  *file = (line_file){.name = "standard output", .descriptor = STDOUT_FILENO};
  *n_there = 0;
  if (!strcmp(path, "-"))
    return CAM_OK;
  file->name = path;
  struct stat status;
  int how = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC;
  if (!stat(path, &status) && !S_ISREG(status.st_mode))
    how = O_WRONLY | O_CLOEXEC;
  file->descriptor = open(path, how, 0666);
  if (file->descriptor < 0)
    return io_error(file, "opened", error);
  return prepare(file, resume, there, n_there, error);
}

cam_code line_file_write(line_file *file, const char *text, size_t n, cam_error *error) {
  for (size_t done = 0; done < n;) {
    const ssize_t written = write(file->descriptor, text + done, n - done);
    if (written < 0 && errno == EAGAIN) /* a pipe that others made so */
      poll(&(struct pollfd){file->descriptor, POLLOUT, 0}, 1, -1);
    else if (written < 0 && errno != EINTR)
      return io_error(file, "written", error);
    done += (size_t)max_int64(written, 0);
  }
  return CAM_OK;
}

cam_code line_file_close(line_file *file, cam_error *error) {
  const int descriptor = file->descriptor;
  file->descriptor = -1;
  if (descriptor >= 0 && descriptor != STDOUT_FILENO && close(descriptor))
    return io_error(file, "written", error);
  return CAM_OK;
}
