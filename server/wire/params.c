/* params.c - text -> cam_params, by the rows of PARAMETERS. Query, form fields, JSON members and
 * the flags of `camserve explain` all come through params_set. Blind to where the text came from.
 * Thread: any; touches only its arguments. */
#include "params.h"
#include "base/whole.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct param {
  param_info info;
  cam_code (*read)(const struct param *row, request_params *params, const char *value,
                   cam_error *error);
  size_t offset;            /* of the field in request_params */
  double least, most;       /* numbers */
  const char *const *words; /* words, NULL at the end */
  const char *allowed;      /* what is allowed, where numbers and words do not say it */
} param;

#define FIELD(type, row, params) (*(type *)((char *)(params) + (row)->offset))

/* Decimal numbers only: strtod alone would take hexadecimal, "inf", "nan" and leading blanks.
 * (camserve never calls setlocale: the point is a point.) */
static bool read_decimal(const char *text, double *out) {
  if (!*text || text[strspn(text, "0123456789.eE+-")] || *text == '+')
    return false;
  char *end;
  *out = strtod(text, &end) + 0.0; /* -0 becomes 0 */
  return end != text && !*end && isfinite(*out);
}

static cam_code read_whole(const param *row, request_params *params, const char *value,
                           cam_error *error) {
  int64_t number;
  if (!whole_read(value, (int64_t)row->least, (int64_t)row->most, &number))
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: \"%.40s\"; allowed are whole numbers from %g to %g", row->info.name, value,
                    row->least, row->most);
  FIELD(int, row, params) = (int)number;
  return CAM_OK;
}

static cam_code read_real(const param *row, request_params *params, const char *value,
                          cam_error *error) {
  double number;
  if (!read_decimal(value, &number) || number < row->least || number > row->most)
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: \"%.40s\"; allowed are decimal numbers from %g to %g", row->info.name,
                    value, row->least, row->most);
  FIELD(float, row, params) = (float)number;
  return CAM_OK;
}

/* words "a", "b", "c" with last " and ": "a, b and c". */
static void join_words(const char *const *words, const char *last, char out[PARAM_TEXT_MAX]) {
  size_t used = 0;
  out[0] = '\0';
  for (int i = 0; words[i] && used < PARAM_TEXT_MAX; i++) {
    const char *before = "";
    if (i)
      before = words[i + 1] ? ", " : last;
    used += (size_t)snprintf(out + used, PARAM_TEXT_MAX - used, "%s%s", before, words[i]);
  }
}

static void describe_allowed(const param *row, const char *last, char out[PARAM_TEXT_MAX]) {
  if (row->allowed)
    snprintf(out, PARAM_TEXT_MAX, "%s", row->allowed);
  else if (row->words)
    join_words(row->words, last, out);
  else
    snprintf(out, PARAM_TEXT_MAX, "%g to %g", row->least, row->most);
}

static cam_code unknown_word(const param *row, const char *value, cam_error *error) {
  char allowed[PARAM_TEXT_MAX];
  describe_allowed(row, " and ", allowed);
  return cam_fail(error, CAM_E_PARAMETER, "%s: \"%.40s\"; allowed are %s", row->info.name, value,
                  allowed);
}

/* Index of text[0..n) in words, or -1. */
static int find_word(const char *const *words, const char *text, size_t n) {
  for (int i = 0; words[i]; i++)
    if (strlen(words[i]) == n && !memcmp(words[i], text, n))
      return i;
  return -1;
}

static cam_code read_word(const param *row, request_params *params, const char *value,
                          cam_error *error) {
  int word = find_word(row->words, value, strlen(value));
  if (word < 0)
    return unknown_word(row, value, error);
  /* An enumeration of gcc and clang, all of whose values are at least 0. */
  FIELD(unsigned, row, params) = (unsigned)word;
  return CAM_OK;
}

/* A word named twice counts once. */
static cam_code read_include(const param *row, request_params *params, const char *value,
                             cam_error *error) {
  unsigned include = 0;
  for (const char *item = value; strcmp(value, "none"); item++) {
    size_t n = strcspn(item, ",");
    int word = find_word(row->words, item, n);
    if (word < 0)
      return unknown_word(row, value, error);
    include |= 1u << word;
    item += n;
    if (!*item)
      break;
  }
  FIELD(unsigned, row, params) = include;
  return CAM_OK;
}

static cam_code read_names(const param *row, request_params *params, const char *value,
                           cam_error *error) {
  param_names *names = &FIELD(param_names, row, params);
  const size_t n = strlen(value) + 1;
  if (names->n == CAM_MAX_CLASSES)
    return cam_fail(error, CAM_E_PARAMETER, "%s: more than %d; allowed are at most %d",
                    row->info.name, CAM_MAX_CLASSES, CAM_MAX_CLASSES);
  if (names->used + n > PARAM_VALUE_MAX + 1 + (size_t)names->n)
    return cam_fail(error, CAM_E_PARAMETER, "%s: more than %d characters", row->info.name,
                    PARAM_VALUE_MAX);
  memcpy(names->text + names->used, value, n);
  names->used += n;
  names->n++;
  return CAM_OK;
}

/* Whether there is such a model is asked when all is read. */
static cam_code read_model_name(const param *row, request_params *params, const char *value,
                                cam_error *error) {
  const size_t n = strlen(value);
  if (!n || n > PARAM_MODEL_MAX)
    return cam_fail(error, CAM_E_PARAMETER, "%s: %zu characters; allowed are 1 to %d",
                    row->info.name, n, PARAM_MODEL_MAX);
  memcpy(params->model, value, n + 1);
  return CAM_OK;
}

/* ---- what only a model can read ---- */

/* A class named twice, even once as an index and once as a WordNet id, counts once. */
static void add_class(cam_params *params, int class_id) {
  for (int i = 0; i < params->n_classes; i++)
    if (params->classes[i] == class_id)
      return;
  params->classes[params->n_classes++] = class_id;
}

static cam_code find_class(const cam_model *model, const char *name, const char *text, size_t n,
                           int *class_id, cam_error *error) {
  cam_error why;
  cam_code code = cam_model_find_class(model, text, n, class_id, &why);
  if (!code)
    return CAM_OK;
  return cam_fail(error, code, "%s: %s; an index (285), a WordNet id or a label is wanted", name,
                  why.detail);
}

/* text[0..n), which names one class of the list. *left: how many more it may have. */
static cam_code resolve_class(request_params *params, const cam_model *model, const char *text,
                              size_t n, int *left, cam_error *error) {
  int class_id;
  cam_code code = find_class(model, "classes", text, n, &class_id, error);
  if (code)
    return code;
  if (!*left)
    return cam_fail(error, CAM_E_PARAMETER, "classes: more than %d; allowed are at most %d",
                    CAM_MAX_CLASSES, CAM_MAX_CLASSES);
  --*left;
  add_class(&params->cam, class_id);
  return CAM_OK;
}

/* A value is one label, commas and all, or else a list of what has no comma. */
static cam_code resolve_value(request_params *params, const cam_model *model, const char *value,
                              int *left, cam_error *error) {
  if (!resolve_class(params, model, value, strlen(value), left, NULL))
    return CAM_OK;
  for (const char *item = value;; item++) {
    item += strspn(item, " ");
    const size_t n = strcspn(item, ",");
    cam_code code = resolve_class(params, model, item, n, left, error);
    if (code)
      return code;
    item += n;
    if (!*item)
      return CAM_OK;
  }
}

static cam_code resolve_classes(request_params *params, const cam_model *model, cam_error *error) {
  const char *value = params->classes.text;
  int left = CAM_MAX_CLASSES;
  params->cam.n_classes = 0;
  for (int i = 0; i < params->classes.n; i++) {
    cam_code code = resolve_value(params, model, value, &left, error);
    if (code)
      return code;
    value += strlen(value) + 1;
  }
  return CAM_OK;
}

/* The class, and a contrast's colours: two, which meet at 0. */
static cam_code resolve_minus(request_params *params, const cam_model *model, cam_error *error) {
  const char *text = params->minus.text;
  cam_params *cam = &params->cam;
  cam->has_minus = params->minus.n;
  if (!cam->has_minus && cam->colormap == CAM_COOLWARM)
    return cam_fail(error, CAM_E_PARAMETER,
                    "colormap: \"coolwarm\" is for contrasts; minus is wanted with it");
  if (!cam->has_minus)
    return CAM_OK;
  if (!params_given(params, "colormap"))
    cam->colormap = CAM_COOLWARM;
  return find_class(model, "minus", text, strlen(text), &cam->minus, error);
}

static cam_code check_detail(const cam_params *params, const cam_model *model, cam_error *error) {
  const cam_model_info *info = cam_model_get_info(model);
  if (params->detail == CAM_NORMAL || info->fine)
    return CAM_OK;
  return cam_fail(error, CAM_E_PARAMETER,
                  "detail: \"fine\" shows the network larger inputs, and %s takes %d x %d alone",
                  info->name, info->width, info->height);
}

/* ---- the table ---- */

_Static_assert(sizeof(cam_colormap) == sizeof(unsigned) && sizeof(cam_size) == sizeof(unsigned) &&
                   sizeof(cam_resize) == sizeof(unsigned) &&
                   sizeof(cam_picture) == sizeof(unsigned) &&
                   sizeof(cam_scale) == sizeof(unsigned) && sizeof(cam_detail) == sizeof(unsigned),
               "read_word");
_Static_assert(CAM_INCLUDE_OVERLAY == 1 << 0 && CAM_INCLUDE_HEATMAP == 1 << 1 &&
                   CAM_INCLUDE_MAP == 1 << 2 && CAM_INCLUDE_PROBABILITIES == 1 << 3,
               "places in the words of INCLUDE are bits");

#define AT(field) .offset = offsetof(request_params, field)
#define NAME(id, name, ...) name,
#define WORDS(...) \
  .words = (const char *const[]) { __VA_ARGS__ NULL }
#define WHOLE(field, low, high) .read = read_whole, AT(cam.field), .least = low, .most = high
#define REAL(field, low, high) .read = read_real, AT(cam.field), .least = low, .most = high
#define WORD(field, list) .read = read_word, AT(cam.field), WORDS(list(NAME))
#define CLASS(field) \
  .read = read_names, AT(field), .allowed = "a class index, a WordNet id or a label's first name"
#define CLASSES(field) \
  .read = read_names, AT(field), .info.list = true, .info.repeats = true, \
  .allowed = "class indices, WordNet ids or labels' first names, comma separated, at most 10"
#define MODEL \
  .read = read_model_name, .info.of_service = true, .allowed = "a name that GET /v1/models lists"
#define INCLUDE \
  .read = read_include, AT(cam.include), .info.list = true, \
  WORDS("overlay", "heatmap", "map", "probabilities", ), \
  .allowed = "a comma list of overlay, heatmap, map and probabilities, or none alone"
#define ROW(its_name, how, its_fallback, its_meaning) \
  {.info.name = #its_name, .info.fallback = its_fallback, .info.meaning = its_meaning, how},
static const param rows[PARAM_COUNT] = {PARAMETERS(ROW)};
#undef ROW

void params_init(request_params *params) { *params = (request_params){.cam = cam_default_params}; }

int params_find(const char *name) {
  for (int i = 0; i < PARAM_COUNT; i++)
    if (!strcmp(rows[i].info.name, name))
      return i;
  return -1;
}

static cam_code unknown_name(const char *name, cam_error *error) {
#define ROW(its_name, ...) #its_name,
  static const char *const names[] = {PARAMETERS(ROW) NULL};
#undef ROW
  char all[PARAM_TEXT_MAX];
  join_words(names, " and ", all);
  return cam_fail(error, CAM_E_PARAMETER, "%.40s: no such parameter; allowed are %s", name, all);
}

cam_code params_set(request_params *params, const char *name, const char *value, cam_error *error) {
  const int row = params_find(name);
  if (row < 0)
    return unknown_name(name, error);
  if (params->seen[row] && !rows[row].info.repeats)
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: given twice; allowed is once, in the query or in the body", name);
  params->seen[row] = true;
  return rows[row].read(&rows[row], params, value, error);
}

cam_code params_resolve(request_params *params, const cam_model *model, cam_error *error) {
  cam_code code = resolve_classes(params, model, error);
  if (!code)
    code = resolve_minus(params, model, error);
  if (!code)
    code = check_detail(&params->cam, model, error);
  return code;
}

bool params_given(const request_params *params, const char *name) {
  const int row = params_find(name);
  return row >= 0 && params->seen[row];
}

const param_info *params_info(int row) { return &rows[row].info; }

const char *const *params_words(int row) { return rows[row].words; }

const char *params_allowed(int row, const char *last, char out[PARAM_TEXT_MAX]) {
  describe_allowed(&rows[row], last, out);
  return out;
}
