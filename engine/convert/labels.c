/* labels.c - class names of a model file, from config/labels/NAME.tsv: a line for each class in the
 * order of the network's outputs, WordNet id TAB label. Lines that begin with # are for people.
 * Also: small helpers with text files and JSON. */
#include "join.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *join_read_text(const char *path, size_t most, size_t *n, cam_error *error) {
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

void join_copy_json(json *parent, const char *name, const json *value) {
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
    join_copy_json(copy, json_type_of(value) == JSON_OBJECT ? json_name(each) : NULL, each);
}

static cam_code add_line(json *classes, char *line, const char *path, int number,
                         cam_error *error) {
  char *label = strchr(line, '\t');
  if (!label || label == line || !label[1])
    return cam_fail(error, CAM_E_MODEL, "%.100s: line %d is not: WordNet id TAB label", path,
                    number);
  *label++ = 0;
  json *pair = json_add_array(classes, NULL);
  json_add_text(pair, NULL, line);
  json_add_text(pair, NULL, label);
  return CAM_OK;
}

static cam_code add_file(json *classes, const char *path, cam_error *error) {
  enum { MOST = 16 << 20 };
  size_t n = 0;
  char *text = join_read_text(path, MOST, &n, error), *rest = text, *line;
  if (!text)
    return error ? error->code : CAM_E_IO;
  cam_code code = CAM_OK;
  for (int number = 1; !code && (line = strsep(&rest, "\n")); number++) {
    line[strcspn(line, "\r")] = 0;
    if (*line && *line != '#')
      code = add_line(classes, line, path, number, error);
  }
  free(text);
  return code;
}

cam_code labels_add(const json *architecture, const char *folder, json *document,
                    cam_error *error) {
  const json *classes = json_member(architecture, "classes");
  if (json_type_of(classes) == JSON_ARRAY)
    return join_copy_json(document, "classes", classes), CAM_OK;
  const char *name = NULL;
  cam_code code = json_get_text(architecture, "classes", &name, CAM_E_MODEL, "architecture", error);
  if (code)
    return code;
  if (!*name || *name == '.' || strchr(name, '/'))
    return cam_fail(
        error, CAM_E_MODEL,
        "architecture: member \"classes\" is \"%.60s\", not the name of a list of labels", name);
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%s.tsv", folder, name) >= (int)sizeof path)
    return cam_fail(error, CAM_E_IO, "the path of labels \"%.60s\" is too long", name);
  return add_file(json_add_array(document, "classes"), path, error);
}
