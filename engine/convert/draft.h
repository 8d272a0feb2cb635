/* draft.h - a network on its way into a model file: planes and operators as the engine has them,
 * weights still where they were read. Flow: onnx_import -> [draft] -> draft_simplify -> draft_write
 * -> model file. Blind to ONNX. One thread at a time.
 * A node's output is a plane [height,width,channels]; a vector is a plane of one cell. */
#ifndef DRAFT_H
#define DRAFT_H
#include "constant.h"
#include "join.h"

/* X(enumerator, operator of the model file) */
#define DRAFT_OPS(X) \
  X(DRAFT_CONV, "conv") /* also fc: the last product of a head becomes one */ \
  X(DRAFT_MAX_POOL, "max_pool") \
  X(DRAFT_AVG_POOL, "avg_pool") \
  X(DRAFT_PAD, "pad") /* zeros around: moves into the operator behind it */ \
  X(DRAFT_GAP, "gap") \
  X(DRAFT_FLATTEN, "flatten") /* [H,W,C] -> [1,1,H*W*C] */ \
  X(DRAFT_ADD, "add") \
  X(DRAFT_MUL, "mul") /* the second may be of one cell */ \
  X(DRAFT_CONCAT, "concat") \
  X(DRAFT_CLIP, "clip")     /* relu and relu6, too */ \
  X(DRAFT_AFFINE, "affine") /* factor[c] * x + shift[c] */ \
  X(DRAFT_SIGMOID, "sigmoid") \
  X(DRAFT_HARD_SIGMOID, "hard_sigmoid") /* min(max(low * x + high, 0), 1) */ \
  X(DRAFT_SILU, "silu")                 /* x * sigmoid(x) */ \
  X(DRAFT_HARD_SWISH, "hard_swish")     /* x * min(max(x + 3, 0), 6) / 6 */ \
  X(DRAFT_ERF, "erf")                   /* becomes part of a gelu */ \
  X(DRAFT_GELU, "gelu")                 /* x * (1 + erf(x / sqrt(2))) / 2 */ \
  X(DRAFT_LAYER_NORM, "layer_norm")     /* over the channels of a cell */ \
  /* Parts of a layer norm that is spelled out; over channels, too. */ \
  X(DRAFT_CHANNEL_MEAN, "channel_mean") /* a plane of one channel */ \
  X(DRAFT_CENTRED, "centred")           /* x less its mean */ \
  X(DRAFT_SQUARE, "square") \
  X(DRAFT_VARIANCE, "variance")   /* a plane of one channel */ \
  X(DRAFT_DEVIATION, "deviation") /* the root of variance + low */ \
  X(DRAFT_SLICE, "slice")         /* channels from `begin` on */ \
  X(DRAFT_SHUFFLE, "shuffle")     /* [groups, C/groups] transposed */ \
  X(DRAFT_RESIZE, "resize")       /* the nearest cell; sides times stride[] */ \
  X(DRAFT_SOFTMAX, "softmax")     /* dropped at the end; low is 1 of its logarithm */
typedef enum draft_op {
#define X(id, name) id,
  DRAFT_OPS(X)
#undef X
      DRAFT_OP_COUNT
} draft_op;

enum { DRAFT_PICTURE = -1, DRAFT_MAX_NODES = 1 << 14 };

typedef struct draft_node {
  draft_op op;
  const char *name, *source;   /* of the node it came from, and that one's operator */
  int n_inputs, *inputs;       /* [n_inputs] earlier nodes, or DRAFT_PICTURE */
  int height, width, channels; /* of its output */
  int uses; /* inputs of others that are its output; the network's output is one */
  bool dead;
  bool vector; /* one cell whatever the picture's size: made of a mean, or flattened */
  int kernel[2], stride[2], pads[4], groups; /* y, x; top, left, bottom, right */
  bool same;                                 /* padding as TensorFlow's SAME, whatever the size */
  bool counts_padding;                       /* avg_pool: zeros outside count as cells */
  bool rounds_up;                            /* pools: a last window that sticks out counts */
  bool sized;                                /* holds for this size of the picture alone */
  number_view weight;                        /* conv: [KH,KW,Cin/groups in one or more axes,Cout] */
  double *factor, *shift; /* [channels]: conv: what its sums are multiplied by and what is added;
                             affine, layer_norm. NULL: 1 and 0 */
  double low, high; /* clip: limits; hard_sigmoid: slope and offset; layer_norm: epsilon in low */
  int begin;        /* slice */
} draft_node;

typedef enum draft_ending {
  ENDS_IN_LOGITS,
  ENDS_IN_SOFTMAX,
  ENDS_IN_LOG_SOFTMAX,
  ENDS_IN_SIGMOID
} draft_ending;

typedef struct draft {
  arena *memory;
  cam_error *error;
  int height, width; /* of the picture, which has 3 channels */
  int n, room;
  draft_node *nodes;   /* [n], each after its inputs; moves when one is added */
  int output;          /* the node whose channels are the classes */
  draft_ending ending; /* what stood behind the logits */
  double picture_factor[3], picture_shift[3]; /* what the network does to the picture first */
  bool sized;           /* something in it holds for this size of the picture alone: */
  const char *sized_by; /* that node's name */
} draft;

const char *draft_op_name(draft_op op);
/* A node of one input (or two: `other` is not DRAFT_NOTHING) with that input's size; everything
 * else as an operator of one cell has it. Its index; -1 with the error filled: no memory. */
enum { DRAFT_NOTHING = -2 };
int draft_add(draft *d, draft_op op, const char *name, const char *source, int input, int other);
/* A node of many inputs. */
int draft_add_many(draft *d, draft_op op, const char *name, const char *source, int n,
                   const int *inputs);
/* [channels] of one value, in the draft's memory; NULL with the error filled. */
double *draft_vector(draft *d, int channels, double value);
int draft_channels(const draft *d, int node);
int draft_height(const draft *d, int node);
int draft_width(const draft *d, int node);
bool draft_is_vector(const draft *d, int node);
/* Cells of a kernel's output along an axis (0: y, 1: x); sets pads of `same`. 0 or less: it does
 * not fit. */
int draft_extent(const draft_node *node, int axis, int in);

/* draft_simplify.c: batch norms and other affine operators into the products before them, what
 * exporters spell out into one operator, what nothing uses away. */
cam_code draft_simplify(draft *d);

/* draft_write.c: CAM_E_WEIGHTS naming the first node that needs an operator which the engine does
 * not have, or not where it stands; sets d->sized. */
cam_code draft_check(draft *d);
/* draft_sizes.c: pictures of the shorter side and, for the other, each multiple from there to
 * max_side, either way. Sets d->sized if a node is in the way. CAM_E_NO_MEMORY. */
cam_code draft_try_sizes(draft *d, int multiple, int max_side);
/* Nodes and tensors into the document of a model file; out->document is there. */
cam_code draft_write(draft *d, joined *out);

#endif
