/* params.h - the parameters of POST /cam, one table. The query, form fields, JSON members, the
 * flags of `camserve explain` (--top-k), its help and README's table all come from PARAMETERS;
 * static/openapi.json is the one thing beside it that is written by hand, and a test compares them.
 * Implemented in server/wire/params.c. Thread: any; touches only its arguments. */
#ifndef PARAMS_H
#define PARAMS_H
#include "cam_engine.h"

/* X(name, how it is read, default, meaning). How: WHOLE or REAL(field of cam_params, least, most),
 * WORD(field, list of words in cam_engine.h), INCLUDE; CLASSES or CLASS(field of request_params):
 * text that names some or one, which only a model can read; MODEL: which one that is. */
#define PARAMETERS(X) \
  X(top_k, WHOLE(top_k, 1, CAM_MAX_TOP_K), "3", "how many labels") \
  X(classes, CLASSES(classes), "none", \
    "explain these too, whatever their rank; may be given again, each time a label") \
  X(alpha, REAL(alpha, 0, 1), "0.5", "weight of the heat map in the overlay") \
  X(colormap, WORD(colormap, CAM_COLORMAPS), "jet", \
    "colours of the heat map; coolwarm: with minus only, and then the default") \
  X(size, WORD(size, CAM_SIZES), "fit", \
    "of the pictures; fit: longest side at most 512; input: what the network saw") \
  X(resize, WORD(resize, CAM_RESIZES), "the model's", \
    "how the photo becomes the network's input; aspect: nothing distorted, nothing cut off") \
  X(include, INCLUDE, "overlay", \
    "with each label; heatmap: a grey picture; map: the numbers; probabilities: of all classes") \
  X(format, WORD(picture, CAM_PICTURES), "png", \
    "of the pictures; jpeg: quality 90, a sixth as large, as overlay_jpeg and heatmap_jpeg") \
  X(scale, WORD(scale, CAM_SCALES), "the model's", \
    "of maps to colours; minmax: from the map's least to its most; relu: from no evidence to the " \
    "most; without effect with minus") \
  X(minus, CLASS(minus), "none", \
    "maps, overlays and boxes show what speaks for each label rather than for this class") \
  X(threshold, REAL(threshold, 0, 1), "the scale's", \
    "share of the scaled map above which the box is drawn: 0.2 with minmax, 0.3 with relu, 0.25 " \
    "with relu and detail=fine") \
  X(detail, WORD(detail, CAM_DETAILS), "normal", \
    "fine: maps averaged over three sizes of the input, at nine times the cost") \
  X(model, MODEL, "the first", "which one, where several are served")

#define ONE(...) +1
enum {
  PARAM_COUNT = PARAMETERS(ONE),
  PARAM_TEXT_MAX = 160,
  PARAM_MODEL_MAX = 64,  /* characters of a model's name */
  PARAM_VALUE_MAX = 1024 /* bytes of a value, and of all names of classes together */
};
#undef ONE

/* Values that name classes: n texts, each with its NUL, one after another. */
typedef struct param_names {
  int n;
  size_t used; /* bytes of text */
  char text[PARAM_VALUE_MAX + CAM_MAX_CLASSES];
} param_names;

/* A request reads its parameters in two steps: params_set each as it comes, wherever it stands, and
 * params_resolve once all have come, for what they mean depends on the model. */
typedef struct request_params {
  cam_params cam;                  /* whole after params_resolve */
  param_names classes, minus;      /* as they were given */
  char model[PARAM_MODEL_MAX + 1]; /* "": none is named */
  bool seen[PARAM_COUNT]; /* given already: a second time is an error, also once in the query and
                             once in the body */
} request_params;

void params_init(request_params *params);
/* One parameter as text. CAM_E_PARAMETER names the parameter, the value and what is allowed:
 * unknown name, given twice (but for classes), out of range, not a finite number, unknown word, too
 * long. */
cam_code params_set(request_params *params, const char *name, const char *value, cam_error *error);
/* After the last of them: what only the model that is asked can read. CAM_E_PARAMETER as above:
 * unknown class, a name that several have. */
cam_code params_resolve(request_params *params, const cam_model *model, cam_error *error);
/* Was it given? */
bool params_given(const request_params *params, const char *name);

/* A row of PARAMETERS as data. */
typedef struct param_info {
  const char *name, *fallback, *meaning; /* "top_k", "3", "how many labels" */
  bool list;       /* its value is a comma list, and in JSON may be an array */
  bool repeats;    /* it may be given again, for more of them */
  bool of_service; /* no flag of a command, which has one model */
} param_info;
const param_info *params_info(int row); /* 0 to PARAM_COUNT-1 */
/* The words that its value may be, NULL at the end; NULL: it is no word. */
const char *const *params_words(int row);
int params_find(const char *name); /* its row; -1: there is no such parameter */
/* What is allowed, for people: "1 to 10"; "png, jpeg" with last ", ", "png and jpeg" with " and ".
 * out is returned. */
const char *params_allowed(int row, const char *last, char out[PARAM_TEXT_MAX]);

#endif
