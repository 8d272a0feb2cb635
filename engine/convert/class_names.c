/* class_names.c - see class_names.h. ImageNet's names are part of the program: a converted network
 * needs no file beside it. */
#include "class_names.h"
#include "document.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 16 << 20, MOST_ID = 64, MOST_LABEL = 512, IMAGENET = 1000 };

/* .incbin takes paths from the repository's root, where make runs. */
__asm__(".section .rodata\n.balign 16\nclass_names_imagenet:\n"
        ".incbin \"config/labels/imagenet-1k.tsv\"\n.byte 0\n.previous\n");
extern const char class_names_imagenet[];

typedef struct list {
  json *classes;
  int n, wanted;
  const char *source; /* for errors */
  cam_error *error;
} list;

static cam_code add(list *to, const char *id, const char *label) {
  if (strlen(id) > MOST_ID || strlen(label) > MOST_LABEL || !*label)
    return cam_fail(to->error, CAM_E_WEIGHTS,
                    "%.60s: class %d: a label has 1 to %d bytes, its id at most %d", to->source,
                    to->n, MOST_LABEL, MOST_ID);
  json *pair = json_add_array(to->classes, NULL);
  json_add_text(pair, NULL, id);
  json_add_text(pair, NULL, label);
  to->n++;
  return CAM_OK;
}

static bool is_wordnet_id(const char *text, size_t n) {
  return n == 9 && *text == 'n' && strspn(text + 1, "0123456789") >= 8;
}

/* "n01440764 TAB tench", "n01440764 tench" or "tench". Lines that begin with # are for people. */
static cam_code add_label_line(list *to, char *line) {
  line[strcspn(line, "\r")] = 0;
  if (!*line || *line == '#')
    return CAM_OK;
  char *label = strchr(line, '\t');
  if (!label && is_wordnet_id(line, strcspn(line, " ")) && line[9])
    label = line + 9;
  if (!label)
    return add(to, "", line);
  *label++ = 0;
  return add(to, line, label);
}

static cam_code add_lines(list *to, const char *text) {
  char *copy = strdup(text), *rest = copy, *line;
  if (!copy)
    return cam_fail(to->error, CAM_E_NO_MEMORY, "no memory for labels");
  cam_code code = CAM_OK;
  while (!code && (line = strsep(&rest, "\n")))
    code = add_label_line(to, line);
  free(copy);
  return code;
}

/* A label, or [id or null, label]. */
static cam_code add_value(list *to, const json *value) {
  if (json_type_of(value) == JSON_STRING)
    return add(to, "", json_text(value));
  const json *id = json_first(value), *label = json_next(id);
  if (json_type_of(value) != JSON_ARRAY || json_count(value) != 2 ||
      (json_type_of(id) != JSON_STRING && json_type_of(id) != JSON_NULL) ||
      json_type_of(label) != JSON_STRING)
    return cam_fail(to->error, CAM_E_WEIGHTS, "%.60s: class %d is neither a label nor [id, label]",
                    to->source, to->n);
  return add(to, json_text(id), json_text(label));
}

/* {"cat": 0, "dog": 1}: each number from 0 on once. */
static cam_code add_numbered(list *to, const json *tree) {
  const int n = json_count(tree);
  const char **names = calloc((size_t)n, sizeof *names);
  cam_code code = CAM_OK;
  if (!names)
    return cam_fail(to->error, CAM_E_NO_MEMORY, "no memory for labels");
  for (const json *each = json_first(tree); each && !code; each = json_next(each)) {
    const double number = json_number(each);
    if (json_type_of(each) != JSON_NUMBER || !(number >= 0 && number < n) ||
        number != (int)number || names[(int)number])
      code = cam_fail(to->error, CAM_E_WEIGHTS,
                      "%.60s: label \"%.40s\": its number is not one of 0 to %d, each once",
                      to->source, json_name(each), n - 1);
    else
      names[(int)number] = json_name(each);
  }
  for (int c = 0; c < n && !code; c++)
    code = add(to, "", names[c]);
  free(names);
  return code;
}

static cam_code add_json(list *to, const json *tree) {
  const bool object = json_type_of(tree) == JSON_OBJECT;
  cam_code code = CAM_OK;
  if (!object) {
    for (const json *each = json_first(tree); each && !code; each = json_next(each))
      code = add_value(to, each);
    return code;
  }
  if (json_type_of(json_first(tree)) == JSON_NUMBER)
    return add_numbered(to, tree);
  for (int c = 0; c < json_count(tree) && !code; c++) {
    char key[16];
    snprintf(key, sizeof key, "%d", c);
    const json *value = json_member(tree, key);
    code = value ? add_value(to, value)
                 : cam_fail(to->error, CAM_E_WEIGHTS, "%.60s: member \"%s\" is missing", to->source,
                            key);
  }
  return code;
}

static cam_code add_text(list *to, const char *text) {
  if (!strncmp(text, "\xef\xbb\xbf", 3)) /* a byte order mark */
    text += 3;
  const char *begin = text + strspn(text, " \t\r\n");
  if (*begin != '[' && *begin != '{')
    return add_lines(to, text);
  json *tree = json_parse(text, strlen(text), CAM_E_WEIGHTS, to->error);
  if (!tree)
    return to->error ? to->error->code : CAM_E_WEIGHTS;
  cam_code code = add_json(to, tree);
  json_free(tree);
  return code;
}

static cam_code add_numbers(list *to) {
  cam_code code = CAM_OK;
  for (int c = 0; c < to->wanted && !code; c++) {
    char label[32];
    snprintf(label, sizeof label, "class %d", c);
    code = add(to, "", label);
  }
  return code;
}

cam_code class_names_add(json *document, int n, const char *path, const char *text,
                         const char **source, cam_error *error) {
  list to = {.classes = json_add_array(document, "classes"), .wanted = n, .error = error};
  cam_code code;
  if (path) {
    size_t bytes = 0;
    char *own = document_read_text(path, MOST_BYTES, &bytes, error);
    if (!own)
      return error ? error->code : CAM_E_IO;
    to.source = path;
    code = add_text(&to, own);
    free(own);
  } else if (text) {
    to.source = "metadata of the network";
    code = add_text(&to, text);
  } else if (n == IMAGENET) {
    to.source = "ImageNet's";
    code = add_lines(&to, class_names_imagenet);
  } else {
    to.source = "numbers";
    code = add_numbers(&to);
  }
  if (!code && to.n != n)
    code = cam_fail(error, CAM_E_WEIGHTS, "%.80s: %d labels for %d classes", to.source, to.n, n);
  *source = to.source;
  return code;
}
