/* path_list.h - a list of paths as bytes, a line each (or a NUL behind each, as `find -print0`
 * writes them) -> one path after another, each as soon as it is there. Memory does not grow with
 * the list. Implemented in server/cli/path_list.c. Thread: one at a time. */
#ifndef PATH_LIST_H
#define PATH_LIST_H
#include "cam_error.h"
#include <stdbool.h>
#include <stddef.h>

enum { PATH_LIST_ROOM = 65536, PATH_LIST_MAX = 16384 };

typedef struct path_list {
  int descriptor; /* -1: not open */
  char end;       /* of a path: '\n' or '\0' */
  bool ended, closes;
  size_t at, n; /* of bytes[]: what is not yet used */
  char bytes[PATH_LIST_ROOM];
} path_list;

/* path: "-" is standard input. CAM_E_IO: it cannot be read. */
cam_code path_list_open(path_list *list, const char *path, char end, cam_error *error);
/* The next path that is not empty, with its NUL, into out[0..PATH_LIST_MAX]. bad says what is wrong
 * with this one (too long: its beginning is there; a NUL within a line), error with the list.
 * False: there are no more, a signal came (interrupt.h), or error. */
bool path_list_next(path_list *list, char out[PATH_LIST_MAX + 1], cam_error *bad, cam_error *error);
void path_list_close(path_list *list);

#endif
