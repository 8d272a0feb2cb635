/* node.h - a node of a network: an operator, its attributes and where its inputs come from. Flow:
 * model file -> [node] -> graph. Thread: reading one, at loading; then immutable.
 * ARCHITECTURE.md says what an operator needs ("To add"); the first is a row in OPERATORS. */
#ifndef NODE_H
#define NODE_H
#include "base/safetensors.h"
#include "cam_json.h"
#include <stdbool.h>

#define OPERATORS(X) \
  X(OP_CONV, "conv") \
  X(OP_MAX_POOL, "max_pool") \
  X(OP_AVG_POOL, "avg_pool") \
  X(OP_RELU, "relu") \
  X(OP_RELU6, "relu6") \
  X(OP_CLIP, "clip") \
  X(OP_SIGMOID, "sigmoid") \
  X(OP_HARD_SIGMOID, "hard_sigmoid") \
  X(OP_SILU, "silu") \
  X(OP_HARD_SWISH, "hard_swish") \
  X(OP_GELU, "gelu") \
  X(OP_ADD, "add") \
  X(OP_MUL, "mul") \
  X(OP_AFFINE, "affine") \
  X(OP_LAYER_NORM, "layer_norm") \
  X(OP_CONCAT, "concat") \
  X(OP_SLICE, "slice") \
  X(OP_SHUFFLE, "shuffle") \
  X(OP_RESIZE, "resize") \
  X(OP_GAP, "gap") \
  X(OP_FLATTEN, "flatten") \
  X(OP_FC, "fc")
typedef enum cam_op {
#define X(id, name) id,
  OPERATORS(X)
#undef X
      OP_COUNT
} cam_op;

enum {
  NODE_MAX_INPUTS = 64,
  NODE_MAX_KERNEL = 64, /* a side */
  NODE_MAX_CHANNELS = 65536,
  GRAPH_INPUT = -1 /* as an input: the picture */
};
typedef enum cam_padding { PAD_EXPLICIT, PAD_SAME } cam_padding;

/* A plane of 8-bit values q that stand for (q - zero_point) * scale (docs/models.md, "int8"). */
typedef struct quantization {
  float scale; /* 0: the plane is of float32 */
  int zero_point;
} quantization;

/* How a node is computed (quantized.h). */
typedef enum node_way {
  NODE_FLOAT, /* in float32 */
  NODE_INT8,  /* its plane comes of integers */
  NODE_PART   /* in integers, without a plane of its own: what reads it goes on from its sums */
} node_way;

typedef struct cam_node {
  const char *name;
  cam_op op;
  int n_inputs, inputs[NODE_MAX_INPUTS]; /* indices of earlier nodes, or GRAPH_INPUT */
  int kernel[2], stride[2]; /* y, x; conv's kernel is its weight's, flatten's the plane */
  cam_padding padding;
  int pads[4];            /* top, left, bottom, right of PAD_EXPLICIT */
  bool ceil_mode;         /* pools: a last window that sticks out counts */
  bool count_include_pad; /* avg_pool: cells of padding count, as zeros */
  int groups;
  int channels;                    /* of the output */
  bool one_cell;                   /* the output is one cell, whatever the picture's size */
  const cam_tensor *weight, *bias; /* bias may be NULL */
  /* [channels]: a weight of I8 stands for so many times itself, and the bias of such a convolution
   * is I32, in units of the input's scale times this; NULL: both are F32. */
  const cam_tensor *weight_scale;
  quantization quantum; /* of the output */
  node_way way;
  const cam_tensor *scale, *shift; /* affine, layer_norm: [channels] */
  double least, most;              /* clip */
  double slope, offset;            /* hard_sigmoid */
  double epsilon;                  /* layer_norm */
  int begin;                       /* slice: its first channel */
  int factor[2];                   /* resize: y, x */
} cam_node;

extern const char *const op_names[OP_COUNT];
const char *op_name(cam_op op); /* "" outside the range */
/* One value of each value of its one input. */
bool op_is_activation(cam_op op);
static inline bool is_quantized(const cam_node *node) { return node->quantum.scale > 0; }

/* What a node refers to: the nodes before it, how large their outputs are at the input's own size,
 * and tensors. */
typedef struct node_context {
  const cam_node *nodes; /* [n_nodes] */
  int (*shape)[2];       /* [n_nodes] height and width of their outputs */
  int n_nodes;
  int picture[2]; /* height and width of the input */
  const safetensors *file;
} node_context;

/* Padding before (top or left) of a node along an axis (0: y, 1: x) whose input has `in` cells;
 * output cells into *out (0 or less: does not fit). */
int node_padding(const cam_node *node, int axis, int in, int *out);

/* Multiply-adds of a node whose output is height x width. */
uint64_t node_multiply_adds(const cam_node *node, int height, int width);

#endif
