/* document.c - document.h. */
#include "document.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* A path's last name: errors have room for no more. */
static const char *last_name(const char *path) {
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
                  last_name(output), last_name(input));
}
