/* document.c - document.h. */
#include "document.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* At most n bytes of an open file and a NUL; NULL with *error filled. */
static char *read_text(FILE *file, const char *path, size_t most, size_t *n, cam_error *error) {
  char *text = malloc(most + 2);
  if (!text) {
    cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
    return NULL;
  }
  *n = fread(text, 1, most + 1, file);
  text[*n] = 0;
  if (!ferror(file) && *n <= most)
    return text;
  if (ferror(file))
    cam_fail(error, CAM_E_IO, "%.120s: it cannot be read", path);
  else
    cam_fail(error, CAM_E_IO, "%.120s: it has more than %zu bytes", path, most);
  free(text);
  return NULL;
}

char *document_read_text(const char *path, size_t most, size_t *n, cam_error *error) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
    return NULL;
  }
  char *text = read_text(file, path, most, n, error);
  fclose(file);
  return text;
}

void document_copy(json *parent, const char *name, const json *value) {
  json *copy = NULL;
  switch (json_type_of(value)) {
  case JSON_BOOL:
    json_add_bool(parent, name, json_bool(value));
    return;
  case JSON_NUMBER:
    json_add_number(parent, name, json_number(value));
    return;
  case JSON_STRING:
    json_add_text(parent, name, json_text(value));
    return;
  case JSON_ARRAY:
    copy = json_add_array(parent, name);
    break;
  case JSON_OBJECT:
    copy = json_add_object(parent, name);
    break;
  case JSON_NULL:
    json_add_null(parent, name);
    return;
  }
  for (const json *each = json_first(value); each; each = json_next(each)) {
    const char *member = json_type_of(value) == JSON_OBJECT ? json_name(each) : NULL;
    document_copy(copy, member, each);
  }
}

const char *document_last_name(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash)
    return path;
  return slash + 1;
}

cam_code document_keep(const char *output, const char *input, cam_error *error) {
  struct stat to, from;
  if (!input || stat(output, &to) || stat(input, &from) || to.st_dev != from.st_dev ||
      to.st_ino != from.st_ino)
    return CAM_OK;
  return cam_fail(error, CAM_E_PARAMETER, "%.60s would be written over %.60s, which is read",
                  document_last_name(output), document_last_name(input));
}

cam_code document_readable(const char *path, cam_error *error) {
  struct stat about;
  if (stat(path, &about) || access(path, R_OK))
    return cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  if (S_ISDIR(about.st_mode))
    return cam_fail(error, CAM_E_IO, "%.120s: it cannot be read: it is a folder", path);
  return CAM_OK;
}

cam_code document_writable(const char *path, cam_error *error) {
  struct stat about;
  const bool is_there = !stat(path, &about);
  int fd = -1;
  if (is_there && S_ISREG(about.st_mode))
    fd = open(path, O_WRONLY | O_CLOEXEC);
  else if (is_there)
    return cam_fail(error, CAM_E_IO, "%.120s: it cannot be written: it is no file", path);
  else
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  close(fd);
  if (!is_there)
    remove(path);
  return CAM_OK;
}
