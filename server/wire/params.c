/* params.c - the parameters of POST /cam as one table: text -> cam_params. Thread: any; touches
 * only its arguments. A row knows its name, default, meaning and how it is read; query, form
 * fields, JSON members and the flags of `camserve explain` all come through params_set. Blind to
 * where the text came from. */
#include "params.h"
#include "base/whole.h"
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct param {
  param_info info;
  cam_code (*read)(const struct param *row, request_params *params, const cam_model *model,
                   const char *value, cam_error *error);
  size_t offset;            /* of the field in cam_params */
  double least, most;       /* numbers */
  const char *const *words; /* words, NULL at the end */
  const char *allowed;      /* words, for people */
} param;

#define FIELD(type, row, params) (*(type *)((char *)&(params)->cam + (row)->offset))

/* Decimal numbers only: strtod alone would take hexadecimal, "inf", "nan" and leading blanks.
 * (camserve never calls setlocale: the point is a point.) */
static bool read_decimal(const char *text, double *out) {
  if (!*text || text[strspn(text, "0123456789.eE+-")] || *text == '+')
    return false;
  char *end;
  *out = strtod(text, &end) + 0.0; /* -0 becomes 0 */
  return end != text && !*end && isfinite(*out);
}

static cam_code read_whole(const param *row, request_params *params, const cam_model *model,
                           const char *value, cam_error *error) {
  (void)model;
  int64_t number;
  if (!whole_read(value, (int64_t)row->least, (int64_t)row->most, &number))
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: \"%.40s\"; allowed are whole numbers from %g to %g", row->info.name, value,
                    row->least, row->most);
  FIELD(int, row, params) = (int)number;
  return CAM_OK;
}

static cam_code read_real(const param *row, request_params *params, const cam_model *model,
                          const char *value, cam_error *error) {
  (void)model;
  double number;
  if (!read_decimal(value, &number) || number < row->least || number > row->most)
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: \"%.40s\"; allowed are decimal numbers from %g to %g", row->info.name,
                    value, row->least, row->most);
  FIELD(float, row, params) = (float)number;
  return CAM_OK;
}

static cam_code unknown_word(const param *row, const char *value, cam_error *error) {
  return cam_fail(error, CAM_E_PARAMETER, "%s: \"%.40s\"; allowed are %s", row->info.name, value,
                  row->allowed);
}

/* Index of text[0..n) in words, or -1. */
static int find_word(const char *const *words, const char *text, size_t n) {
  for (int i = 0; words[i]; i++)
    if (strlen(words[i]) == n && !memcmp(words[i], text, n))
      return i;
  return -1;
}

static cam_code read_word(const param *row, request_params *params, const cam_model *model,
                          const char *value, cam_error *error) {
  (void)model;
  int word = find_word(row->words, value, strlen(value));
  if (word < 0)
    return unknown_word(row, value, error);
  FIELD(unsigned, row,
        params) = (unsigned)word; /* an enumeration of gcc and clang, all values at least 0 */
  return CAM_OK;
}

/* A word named twice counts once. */
static cam_code read_include(const param *row, request_params *params, const cam_model *model,
                             const char *value, cam_error *error) {
  (void)model;
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

/* A class named twice, even once as an index and once as a WordNet id, counts once. */
static cam_code read_classes(const param *row, request_params *params, const cam_model *model,
                             const char *value, cam_error *error) {
  char name[16];
  int n_classes = 0, n_items = 0;
  for (const char *item = value;; item++) {
    size_t n = strcspn(item, ",");
    int class_id = -1;
    if (n && n < sizeof name) {
      memcpy(name, item, n);
      name[n] = '\0';
      class_id = cam_model_find_class(model, name);
    }
    if (class_id < 0)
      return cam_fail(error, CAM_E_PARAMETER,
                      "%s: \"%.*s\" is no class of this model; allowed are class indices (285) and "
                      "WordNet ids (n02124075), comma separated",
                      row->info.name, n < 20 ? (int)n : 20, item);
    if (++n_items > CAM_MAX_CLASSES)
      return cam_fail(error, CAM_E_PARAMETER, "%s: more than %d; allowed are at most %d",
                      row->info.name, CAM_MAX_CLASSES, CAM_MAX_CLASSES);
    int seen = 0;
    while (seen < n_classes && params->cam.classes[seen] != class_id)
      seen++;
    params->cam.classes[seen] = class_id;
    if (seen == n_classes)
      n_classes++;
    item += n;
    if (!*item)
      break;
  }
  params->cam.n_classes = n_classes;
  return CAM_OK;
}

/* ---- the table ---- */
#define X(id, name) name,
static const char *const colormaps[] = {CAM_COLORMAPS(X) NULL},
                         *const sizes[] = {CAM_SIZES(X) NULL},
                         *const resizes[] = {CAM_RESIZES(X) NULL},
                         *const pictures[] = {CAM_PICTURES(X) NULL};
#undef X
static const char *const includes[] = {"overlay", "heatmap", "map", NULL};
_Static_assert(CAM_INCLUDE_OVERLAY == 1 << 0 && CAM_INCLUDE_HEATMAP == 1 << 1 &&
                   CAM_INCLUDE_MAP == 1 << 2,
               "places in includes[] are bits");
_Static_assert(sizeof(cam_colormap) == sizeof(unsigned) && sizeof(cam_size) == sizeof(unsigned) &&
                   sizeof(cam_resize) == sizeof(unsigned) &&
                   sizeof(cam_picture) == sizeof(unsigned),
               "read_word");

#define AT(field) offsetof(cam_params, field)
static const param rows[PARAM_COUNT] = {
    {{"top_k", "3", "how many labels, 1 to 10"},
     read_whole,
     AT(top_k),
     1,
     CAM_MAX_TOP_K,
     NULL,
     NULL},
    {{"classes", "none",
      "explain these too: class indices or WordNet ids, comma separated, at most 10"},
     read_classes,
     AT(classes),
     0,
     0,
     NULL,
     NULL},
    {{"alpha", "0.5", "weight of the heat map in the overlay, 0 to 1"},
     read_real,
     AT(alpha),
     0,
     1,
     NULL,
     NULL},
    {{"colormap", "jet", "jet, turbo, viridis, inferno or gray"},
     read_word,
     AT(colormap),
     0,
     0,
     colormaps,
     "jet, turbo, viridis, inferno and gray"},
    {{"size", "fit",
      "of the overlay: fit (longest side at most 512), input (what the network saw) or original"},
     read_word,
     AT(size),
     0,
     0,
     sizes,
     "fit, input and original"},
    {{"resize", "the model's", "how the photo becomes the network's input: stretch or aspect"},
     read_word,
     AT(resize),
     0,
     0,
     resizes,
     "stretch and aspect"},
    {{"include", "overlay", "comma list of overlay, heatmap and map; or none, alone"},
     read_include,
     AT(include),
     0,
     0,
     includes,
     "a comma list of overlay, heatmap and map, or none alone"},
    {{"format", "png", "of overlay and heat map: png or jpeg"},
     read_word,
     AT(picture),
     0,
     0,
     pictures,
     "png and jpeg"},
    {{"threshold", "0.2", "share of the scaled map above which the box is drawn, 0 to 1"},
     read_real,
     AT(threshold),
     0,
     1,
     NULL,
     NULL},
};

void params_init(request_params *params) { *params = (request_params){.cam = cam_default_params}; }

cam_code params_set(request_params *params, const cam_model *model, const char *name,
                    const char *value, cam_error *error) {
  for (int i = 0; i < PARAM_COUNT; i++) {
    if (strcmp(rows[i].info.name, name))
      continue;
    if (params->seen[i])
      return cam_fail(error, CAM_E_PARAMETER,
                      "%s: given twice; allowed is once, in the query or in the body", name);
    params->seen[i] = true;
    return rows[i].read(&rows[i], params, model, value, error);
  }
  return cam_fail(error, CAM_E_PARAMETER,
                  "%.40s: no such parameter; allowed are top_k, classes, alpha, colormap, size, "
                  "resize, include, format and threshold",
                  name);
}

bool params_given(const request_params *params, const char *name) {
  for (int i = 0; i < PARAM_COUNT; i++)
    if (!strcmp(rows[i].info.name, name))
      return params->seen[i];
  return false;
}

const param_info *params_info(int row) { return &rows[row].info; }
