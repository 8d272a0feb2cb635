/* labels.c - class names of a model file, from config/labels/NAME.tsv: a line for each class in the
 * order of the network's outputs, WordNet id TAB label. Lines that begin with # are for people.
 */
#include "labels.h"
#include "document.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  char *text = document_read_text(path, MOST, &n, error);
  if (!text)
    return CAM_E_IO;
  cam_code code = CAM_OK;
  char *rest = text;
  for (int number = 1; rest && !code; number++) {
    char *line = strsep(&rest, "\n");
    line[strcspn(line, "\r")] = 0;
    if (*line && *line != '#')
      code = add_line(classes, line, path, number, error);
  }
  free(text);
  return code;
}

/* [id or null, label] each; what else is there is copied, and refused with the model file. */
static void add_pairs(json *to, const json *pairs) {
  for (const json *pair = json_first(pairs); pair; pair = json_next(pair)) {
    const json *id = json_first(pair);
    if (json_count(pair) != 2 || json_type_of(id) != JSON_NULL) {
      document_copy(to, NULL, pair);
      continue;
    }
    json *copy = json_add_array(to, NULL);
    json_add_text(copy, NULL, "");
    document_copy(copy, NULL, json_next(id));
  }
}

cam_code labels_add(const json *architecture, const char *folder, json *document,
                    cam_error *error) {
  const json *classes = json_member(architecture, "classes");
  if (json_type_of(classes) == JSON_ARRAY) {
    add_pairs(json_add_array(document, "classes"), classes);
    return CAM_OK;
  }
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
