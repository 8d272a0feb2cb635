/* cam_engine.h - bytes in, labels and class maps and pictures out. All that the server knows of the
 * engine.
 *
 * Two handles: a cam_model is loaded once, never changes and is shared by all threads; a
 * cam_context is one worker's scratch (a team of threads, an arena) and serves one call at a time.
 * Blind to HTTP and to JSON replies. Method: Zhou et al., "Learning Deep Features for
 * Discriminative Localization", CVPR 2016. */
#ifndef CAM_ENGINE_H
#define CAM_ENGINE_H
#include "cam_error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* clang-format off */
/* ---- Words that callers use: X(enumerator, name), one a row. The compiler and the tests
 * (tests/http/test_words.py) ask for what else a row needs. ---- */

/* 256 colours for the levels of a heat map: render/colormap_tables.h. Under coolwarm level 128 is
 * 0, and 1 and 255 are as far from it as the map goes to either side: for contrasts. */
#define CAM_COLORMAPS(X)        \
  X(CAM_JET,      "jet")        \
  X(CAM_TURBO,    "turbo")      \
  X(CAM_VIRIDIS,  "viridis")    \
  X(CAM_INFERNO,  "inferno")    \
  X(CAM_GRAY,     "gray")       \
  X(CAM_COOLWARM, "coolwarm")

/* Of overlay and heat map. */
#define CAM_SIZES(X)                 \
  X(CAM_SIZE_FIT,      "fit")        \
  X(CAM_SIZE_INPUT,    "input")      \
  X(CAM_SIZE_ORIGINAL, "original")

/* How a photo becomes the network's input. */
#define CAM_RESIZES(X)        \
  X(CAM_STRETCH, "stretch")   \
  X(CAM_ASPECT,  "aspect")

/* What of a class map becomes 0 and 1: its least and its most (the CAM paper); no evidence and the
 * most there is. */
#define CAM_SCALES(X)         \
  X(CAM_MINMAX, "minmax")     \
  X(CAM_RELU,   "relu")

/* Over how many sizes of the input a class map is averaged: its own; three (engine/fine.h). */
#define CAM_DETAILS(X)        \
  X(CAM_NORMAL, "normal")     \
  X(CAM_FINE,   "fine")

/* How overlay and heat map are written: file extension, media type. */
#define CAM_PICTURES(X)                                \
  X(CAM_PICTURE_PNG,  "png",  "png", "image/png")      \
  X(CAM_PICTURE_JPEG, "jpeg", "jpg", "image/jpeg")

/* Of photos; the rest of each one's row: engine/photo/formats.c. */
#define CAM_FORMATS(X)  \
  X(CAM_JPEG, "jpeg")   \
  X(CAM_PNG,  "png")    \
  X(CAM_WEBP, "webp")   \
  X(CAM_BMP,  "bmp")

/* How class maps come about, a model's one way. cam (Zhou et al., CVPR 2016): the last plane's
 * channels, weighted by the class's row of one linear layer; mean(map) + bias = logit. hirescam
 * (Draelos and Carin, arXiv 2011.08891), of every other head: sum over channels of
 * (d logit / d plane) * plane; no sum is promised. */
#define CAM_METHODS(X)              \
  X(CAM_METHOD_CAM,      "cam")     \
  X(CAM_METHOD_HIRESCAM, "hirescam")

/* What a class's probability is: its share of all, which add up to 1, or one of its own
 * (multi-label networks). */
#define CAM_PROBABILITIES(X)  \
  X(CAM_SOFTMAX, "softmax")   \
  X(CAM_SIGMOID, "sigmoid")

/* Of a network's weights and planes: 32-bit floats; 8-bit integers, as far as there is a way for
 * each operator. */
#define CAM_PRECISIONS(X)       \
  X(CAM_FLOAT32, "float32")     \
  X(CAM_INT8,    "int8")

#define X(id, ...) id,
typedef enum cam_colormap { CAM_COLORMAPS(X) CAM_COLORMAP_COUNT } cam_colormap;
typedef enum cam_size { CAM_SIZES(X) CAM_SIZE_COUNT } cam_size;
typedef enum cam_resize {
  CAM_RESIZES(X)
  CAM_RESIZE_COUNT,
  CAM_RESIZE_OF_MODEL = CAM_RESIZE_COUNT
} cam_resize;
typedef enum cam_scale {
  CAM_SCALES(X)
  CAM_SCALE_COUNT,
  CAM_SCALE_OF_MODEL = CAM_SCALE_COUNT
} cam_scale;
typedef enum cam_detail { CAM_DETAILS(X) CAM_DETAIL_COUNT } cam_detail;
typedef enum cam_picture { CAM_PICTURES(X) CAM_PICTURE_COUNT } cam_picture;
typedef enum cam_format { CAM_FORMATS(X) CAM_FORMAT_COUNT } cam_format;
typedef enum cam_method { CAM_METHODS(X) CAM_METHOD_COUNT } cam_method;
typedef enum cam_probability { CAM_PROBABILITIES(X) CAM_PROBABILITY_COUNT } cam_probability;
typedef enum cam_precision { CAM_PRECISIONS(X) CAM_PRECISION_COUNT } cam_precision;
#undef X
/* clang-format on */

/* Names of the above ("jet"); static storage; "" outside the range. */
const char *cam_colormap_name(cam_colormap colormap);
const char *cam_resize_name(cam_resize resize);
const char *cam_scale_name(cam_scale scale);
const char *cam_picture_name(cam_picture picture);
const char *cam_format_name(cam_format format);
const char *cam_method_name(cam_method method);
const char *cam_probability_name(cam_probability probability);
const char *cam_precision_name(cam_precision precision);

/* ---- The model: immutable, shared ---- */
typedef struct cam_model cam_model;
typedef struct cam_class {
  const char *wnid;  /* WordNet id, "n02124075"; "" where there is none */
  const char *label; /* "Egyptian cat" */
} cam_class;
typedef struct cam_model_info {
  const char *name;  /* "efficientnet-lite0" */
  char sha256[65];   /* of the whole file */
  const char *isa;   /* of the kernels in use: "portable" (SSE2, NEON), "x86-64-v3", "x86-64-v4" */
  int height, width; /* pixels of the input under CAM_STRETCH */
  cam_resize resize; /* its own policy */
  const char *channels;  /* "RGB", "BGR": their order in the input, and in the next two */
  const float *mean;     /* [3]: the network sees (pixel - mean) * factor */
  const float *factor;   /* [3] */
  cam_method method;     /* of its class maps */
  const char *enlarging; /* of its class maps: "half_pixel", "tf1" (docs/models.md) */
  cam_scale scale;       /* where a request leaves it open */
  float threshold;       /* likewise, of that scale and CAM_NORMAL */
  cam_probability probability;
  float temperature; /* what its probabilities lack to be true (cam_temperature.h); 0: unknown */
  bool fine;         /* CAM_FINE is possible: it takes larger inputs, too */
  int classes;
  const cam_class *class_list; /* [classes] */
  uint64_t multiply_adds;      /* of one forward pass at height x width */
  size_t weight_bytes;
  cam_precision precision; /* of weights and planes */
  double int8_share;       /* of the multiply-adds, computed in integers: 0 to 1 */
  bool bit_exact;          /* all is: the same logits and maps, bit for bit, on every machine */
} cam_model_info;

/* Reads and checks a model file (untrusted: offsets, overlaps, shapes, NaN and Inf, cycles); the
 * detail of an error names the tensor or node. isa: NULL for the best that this CPU has, or a name
 * as above; CAM_E_PARAMETER if unknown or not had by this CPU. CAM_OK: *out is the caller's, for
 * cam_model_free after every context on it is gone. Any thread. */
cam_code cam_model_load(const char *path, const char *isa, cam_model **out, cam_error *error);
void cam_model_free(cam_model *model); /* NULL is allowed */
const cam_model_info *cam_model_get_info(const cam_model *model);
/* The class that text[0..n) names: its index ("285"), its WordNet id, its label or the label's
 * first name, what stands before its first comma ("Samoyed"); as it is written, else whatever its
 * case. CAM_E_PARAMETER: none, or several, which the detail lists: both begin with the text in
 * quotes. */
cam_code cam_model_find_class(const cam_model *model, const char *text, size_t n, int *class_id,
                              cam_error *error);
/* What `camserve info` prints: graph, tensors with shapes, multiply-adds, memory. */
void cam_model_print(const cam_model *model, FILE *out);

/* ---- The context: one worker's scratch ---- */
typedef struct cam_limits { /* bounds on what one photo may cost, checked before the cost */
  int64_t max_pixels;       /* width x height */
  int max_side;             /* pixels */
  size_t decode_bytes;      /* memory of the decoder at any moment, its result included */
  int max_scans;            /* of a progressive JPEG */
  int decode_ms;            /* time in which a JPEG must be decoded; 0: any */
  uint64_t work_bytes;      /* memory of all of its way, pictures included; 0: any */
} cam_limits;
extern const cam_limits cam_default_limits;
enum {
  CAM_MAX_TOP_K = 10,
  CAM_MAX_CLASSES = 10, /* asked for by name, beside the top-k */
  CAM_MAX_TASKS = 8,    /* photos of one call */
  CAM_MAX_TEAM = 64     /* threads */
};

typedef struct cam_context cam_context;
/* A context with a team of `threads` threads (1 to CAM_MAX_TEAM; the calling thread is one of them)
 * and an arena that fits every allowed input shape. */
cam_code cam_context_create(const cam_model *model, int threads, const cam_limits *limits,
                            cam_context **out, cam_error *error);
void cam_context_free(cam_context *context); /* NULL is allowed */

/* Calls work(closure, i, own) for each i of 0..n-1, on the threads of the context's team side by
 * side; own is a context of that thread alone, for cam_explain. Pays from cam_spread_least() things
 * of about the same size on: then threads that do not wait for each other beat threads that share.
 */
typedef void cam_spread_work(void *closure, int index, cam_context *own);
void cam_spread(cam_context *context, int n, cam_spread_work *work, void *closure);
int cam_spread_least(const cam_context *context);
/* The context of one thread of the team alone, 0 to threads-1: for work that cam_spread does on
 * another model's context. One caller at a time for each. */
cam_context *cam_context_alone(cam_context *context, int thread);

/* Runs the self-test stored in the model file: CAM_OK if the largest logits agree within 1e-3 of
 * the largest, of a network that is bit-exact to the digits that are stored; CAM_E_MODEL otherwise.
 */
cam_code cam_self_test(cam_context *context, cam_error *error);

/* Processors this process may use: min(affinity, ceil(cgroup cpu.max)), at least 1. */
int cam_cpu_count(void);
const char *cam_openblas_version(void); /* "0.3.21"; static storage */

/* ---- One explanation ---- */
enum {
  CAM_INCLUDE_OVERLAY = 1,
  CAM_INCLUDE_HEATMAP = 2,
  CAM_INCLUDE_MAP = 4,
  CAM_INCLUDE_PROBABILITIES = 8
};
typedef struct cam_params {     /* as in the HTTP contract; cam_default_params has the defaults */
  int top_k;                    /* 1 to CAM_MAX_TOP_K */
  int n_classes;                /* 0 to CAM_MAX_CLASSES */
  int classes[CAM_MAX_CLASSES]; /* class indices to explain whatever their rank */
  bool has_minus;  /* maps, pictures and boxes are contrasts: what speaks for the label */
  int minus;       /* rather than for this class; scaled as under relu, but coolwarm */
  float alpha;     /* 0 to 1: weight of the heat map */
  float threshold; /* 0 to 1: share of the scaled map above which the box is drawn; below 0: that
                      of the scale in effect, 0.2 (minmax), 0.3 (relu), 0.25 (relu and CAM_FINE) */
  cam_colormap colormap;
  cam_size size;
  cam_resize resize; /* CAM_RESIZE_OF_MODEL: the model's own */
  cam_scale scale;   /* CAM_SCALE_OF_MODEL: the model's own */
  cam_detail detail; /* CAM_FINE: about nine times the work; labels are those of CAM_NORMAL */
  unsigned include;  /* CAM_INCLUDE_... */
  cam_picture picture;
} cam_params;
/* 3, none, 0.5, the scale's, jet, fit, the model's, the model's, normal, overlay, PNG */
extern const cam_params cam_default_params;

typedef struct cam_bytes {
  uint8_t *data; /* from malloc */
  size_t size;
} cam_bytes;
/* Pixels of the upright photo. Of no pixels at all: nothing in the photo speaks for the class. */
typedef struct cam_box {
  int x, y, width, height;
} cam_box;

typedef struct cam_prediction {
  int rank; /* 1 is the most probable of all classes */
  int class_id;
  float
      probability; /* softmax over all classes, or the sigmoid of the logit: as the model has it */
  float logit, bias; /* of CAM_METHOD_CAM: mean(map) + bias = logit; of a contrast: the difference
                        of both logits; of CAM_FINE: neither; of another method bias is 0 */
  const float *map;  /* [map_height,map_width] before any resizing or scaling */
  cam_box box;
  cam_bytes overlay; /* 8-bit RGB; empty unless included */
  cam_bytes heatmap; /* 8-bit grey; empty unless included */
} cam_prediction;

typedef struct cam_result { /* all finite */
  int width, height;        /* pixels of the upright photo */
  cam_format format;
  int orientation;               /* EXIF, 1 to 8; 1 where there is none */
  int input_width, input_height; /* pixels the network saw */
  cam_resize resize;
  int map_width, map_height; /* cells */
  int count;
  /* [count] the top-k by rank, then those asked for by class */
  cam_prediction predictions[CAM_MAX_TOP_K + CAM_MAX_CLASSES];
  float *maps;          /* storage behind the maps */
  float *probabilities; /* [classes] of all of them; NULL unless included */
} cam_result;

/* One photo to explain. The caller owns it all; result needs cam_result_free whatever the code. */
typedef struct cam_task {
  const uint8_t *bytes; /* the photo as it came; borrowed */
  size_t n_bytes;
  const cam_params *params;
  cam_result result; /* valid if error.code is CAM_OK, else empty */
  cam_error error;   /* names its stage */
} cam_task;

/* Explains 1 to CAM_MAX_TASKS photos; each succeeds or fails for itself. deadline: seconds of
 * CLOCK_MONOTONIC after which no further stage begins (CAM_E_DEADLINE); 0: none.
 * stage_ms[CAM_STAGE_COUNT] (NULL allowed) gets wall-clock milliseconds of each stage, summed over
 * the photos. One photo is shared by the threads of the team; of many, each thread explains its
 * own. One caller at a time per context. A result depends on the photo and the parameters alone:
 * not on threads, neighbours or load. */
void cam_explain(cam_context *context, cam_task *tasks, int n_tasks, double deadline,
                 double *stage_ms);
/* What explaining takes at most, read from the photos' headers: nothing is decoded. */
typedef struct cam_cost {
  uint64_t work_bytes;    /* that cam_explain holds at any moment, its results included */
  uint64_t picture_bytes; /* of the results' pictures */
  uint64_t map_values;    /* cells of all maps together */
  uint64_t step_bytes;    /* of the largest thing that one thread does while others of its team have
                             nothing to do: decoding a photo, making one label's pictures */
} cam_cost;
/* alone: on a context of cam_spread; else on the context's whole team. A photo that cannot be
 * probed, or needs more than cam_limits.work_bytes, costs nothing. Any thread. */
cam_cost cam_cost_of(const cam_context *context, const cam_task *tasks, int n_tasks, bool alone);
void cam_result_free(cam_result *result); /* leaves it empty; NULL is allowed */

/* The upright photo of task->bytes, as JPEG: its longer side has at most most_side pixels, fewer
 * where the file would have more than most_bytes (of 32 pixels it may). CAM_OK: out->data is the
 * caller's, for free(); else it is empty. */
cam_code cam_thumbnail(const cam_context *context, const cam_task *task, int most_side,
                       size_t most_bytes, cam_bytes *out, cam_error *error);

/* ---- What the network sees of a photo: for people who look for wrong pixels ---- */
typedef struct cam_seen_channel {
  char letter;                /* 'R', 'G' or 'B' */
  float mean, scale;          /* the network sees (pixel - mean) * scale */
  float least, average, most; /* of what it sees */
} cam_seen_channel;
typedef struct cam_seen {
  cam_seen_channel channels[3]; /* in the network's order */
  cam_bytes picture; /* PNG, 8-bit RGB, of the input's size, made of the numbers that it sees */
} cam_seen;
/* Of the task the bytes and the parameter `resize` are read. CAM_OK: out->picture.data is the
 * caller's, for free(); else it is empty. */
cam_code cam_show_input(const cam_context *context, const cam_task *task, cam_seen *out,
                        cam_error *error);

/* ---- Measurements, on a made picture of the model's own size ---- */

/* Milliseconds of each of `runs` forward passes of `batch` pictures, the class maps of the three
 * likeliest labels of each included, into ms[runs]. */
cam_code cam_bench_forward(cam_context *context, int batch, int runs, double *ms, cam_error *error);

/* The float64 reference's logits[classes] (plain loops: seconds to minutes) and the largest
 * difference of the kernels' logits from them. */
cam_code cam_bench_reference(cam_context *context, double *logits, double *difference,
                             cam_error *error);

/* What this host can do with the context's team and kernels: fused multiply-adds in registers (2
 * operations each), of floats and of bytes, and reading memory far larger than any cache. */
typedef struct cam_host {
  double gflops;    /* 1e9 operations a second */
  double int8_gops; /* the same, of 8 bits */
  double gbytes;    /* 1e9 bytes a second */
} cam_host;
cam_code cam_bench_host(cam_context *context, cam_host *out, cam_error *error);

/* One layer: what it is, what it costs at least, what it takes. */
typedef struct cam_layer {
  const char *name, *kind;     /* "conv4_2", "winograd"; borrowed from the model */
  int height, width, channels; /* of its output */
  uint64_t multiply_adds;      /* by definition */
  uint64_t products;           /* those its method needs: Winograd needs fewer */
  bool int8;                   /* they are products of 8 bits */
  size_t bytes;                /* weights, planes read and written, each once */
  double ms;                   /* the shortest of the runs */
} cam_layer;
/* Layers of the context's network and, after them, two rows for what follows: logits, and three
 * class maps. */
int cam_bench_layer_count(const cam_context *context);
/* Into layers[cam_bench_layer_count]; *ms: the shortest whole pass. */
cam_code cam_bench_layers(cam_context *context, int runs, cam_layer *layers, double *ms,
                          cam_error *error);

#endif
