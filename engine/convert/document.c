/* document.c - document.h. */
#include "document.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *document_read_text(const char *path, size_t most, size_t *n, cam_error *error) {
  FILE *file = fopen(path, "rb");
  char *text = file ? malloc(most + 2) : NULL;
  if (!text)
    cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  else {
    *n = fread(text, 1, most + 1, file);
    text[*n] = 0;
    if (ferror(file) || *n > most) {
      cam_fail(error, CAM_E_IO,
               ferror(file) ? "%.120s: it cannot be read" : "%.120s: it has more than %zu bytes",
               path, most);
      free(text);
      text = NULL;
    }
  }
  if (file)
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
    return;
  }
  for (const json *each = json_first(value); each; each = json_next(each))
    document_copy(copy, json_type_of(value) == JSON_OBJECT ? json_name(each) : NULL, each);
}
