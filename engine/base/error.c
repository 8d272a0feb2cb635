/* error.c - the texts of cam_error.h, and filling an error. Any thread. */
#include "cam_engine.h"
#include <stdarg.h>

/* words[index], or `otherwise` outside the list. */
static const char *word_at(const char *const *words, unsigned n, unsigned index,
                           const char *otherwise) {
  if (index >= n)
    return otherwise;
  return words[index];
}

const char *cam_code_name(cam_code code) {
  static const char *const names[] = {
#define X(id, name, text) name,
      CAM_ERRORS(X)
#undef X
  };
  return word_at(names, CAM_CODES, code, "unknown");
}

const char *cam_code_text(cam_code code) {
  static const char *const texts[] = {
#define X(id, name, text) text,
      CAM_ERRORS(X)
#undef X
  };
  return word_at(texts, CAM_CODES, code, "unknown");
}

/* One function "name of an enumerator" per list of words. */
#define X(id, name, ...) name,
#define NAMES(function, type, list, count) \
  const char *function(type value) { \
    static const char *const names[] = {list(X)}; \
    return word_at(names, count, value, ""); \
  }
NAMES(cam_stage_name, cam_stage, CAM_STAGES, CAM_STAGE_COUNT)
NAMES(cam_colormap_name, cam_colormap, CAM_COLORMAPS, CAM_COLORMAP_COUNT)
NAMES(cam_method_name, cam_method, CAM_METHODS, CAM_METHOD_COUNT)
NAMES(cam_probability_name, cam_probability, CAM_PROBABILITIES, CAM_PROBABILITY_COUNT)
NAMES(cam_precision_name, cam_precision, CAM_PRECISIONS, CAM_PRECISION_COUNT)
NAMES(cam_resize_name, cam_resize, CAM_RESIZES, CAM_RESIZE_COUNT)
NAMES(cam_scale_name, cam_scale, CAM_SCALES, CAM_SCALE_COUNT)
NAMES(cam_picture_name, cam_picture, CAM_PICTURES, CAM_PICTURE_COUNT)
NAMES(cam_format_name, cam_format, CAM_FORMATS, CAM_FORMAT_COUNT)
#undef X

cam_code cam_fail(cam_error *error, cam_code code, const char *format, ...) {
  if (!error)
    return code;
  error->code = code;
  error->stage = NULL;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->detail, sizeof error->detail, format, arguments);
  va_end(arguments);
  for (char *c = error->detail; *c; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
  return code;
}
