/* path_list.c - path_list.h, by read(2): what has come is taken at once, and no signal is missed
 * while nothing comes. */
#include "path_list.h"
#include "cam_minmax.h"
#include "interrupt.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

cam_code path_list_open(path_list *list, const char *path, char end, cam_error *error) {
  struct stat status;
  list->end = end;
  list->ended = false;
  list->at = list->n = 0;
  list->closes = strcmp(path, "-") != 0;
  list->descriptor = STDIN_FILENO;
  if (list->closes)
    list->descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (list->descriptor < 0)
    return cam_fail(error, CAM_E_IO, "--paths-from %.100s: %s", path, strerror(errno));
  if (!fstat(list->descriptor, &status) && S_ISDIR(status.st_mode))
    return cam_fail(error, CAM_E_IO,
                    "--paths-from %.80s: a folder; give it without the flag: its photos are found",
                    path);
  return CAM_OK;
}

void path_list_close(path_list *list) {
  if (list->descriptor >= 0 && list->closes)
    close(list->descriptor);
  list->descriptor = -1;
}

/* More bytes into list. False: there are none. */
static bool refill(path_list *list, cam_error *error) {
  ssize_t n = -1;
  if (list->ended)
    return false;
  do {
    if (!interrupt_wait(list->descriptor))
      return false;
    n = read(list->descriptor, list->bytes, sizeof list->bytes);
  } while (n < 0 && errno == EINTR);
  if (n < 0)
    cam_fail(error, CAM_E_IO, "--paths-from: the list cannot be read: %s", strerror(errno));
  list->at = 0;
  list->n = (size_t)max_int64(n, 0);
  list->ended = n <= 0;
  return n > 0;
}

/* One path, which may be empty, into out; *n: its whole length. */
static bool read_one(path_list *list, char out[PATH_LIST_MAX + 1], size_t *n, cam_error *error) {
  *n = 0;
  for (;;) {
    if (list->at == list->n && !refill(list, error))
      return *n > 0 && list->ended && !error->code; /* the last may do without its end */
    const char *from = list->bytes + list->at;
    const char *end = memchr(from, list->end, list->n - list->at);
    size_t piece = list->n - list->at;
    if (end)
      piece = (size_t)(end - from);
    const size_t kept = min_size(*n, PATH_LIST_MAX);
    memcpy(out + kept, from, min_size(piece, PATH_LIST_MAX - kept));
    *n += piece;
    list->at += piece + (end != NULL);
    if (end)
      return true;
  }
}

bool path_list_next(path_list *list, char out[PATH_LIST_MAX + 1], cam_error *bad,
                    cam_error *error) {
  size_t n = 0;
  *bad = (cam_error){0};
  while (!n)
    if (!read_one(list, out, &n, error))
      return false;
  out[min_size(n, PATH_LIST_MAX)] = '\0';
  if (n > PATH_LIST_MAX)
    cam_fail(bad, CAM_E_IO, "a path of %zu bytes; allowed are %d", n, PATH_LIST_MAX);
  else if (strlen(out) < n)
    cam_fail(bad, CAM_E_IO, "a NUL byte in a path; --null reads lists that have one behind each");
  return true;
}
