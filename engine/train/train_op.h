/* train_op.h - the operators of a tape: each forward, and its adjoint, in float. Flow: tape ->
 * [operators] -> blas. Thread: any; they touch what the task points to. To add one: a row in
 * train_op_of (train_op.c), a function in the file that it fits, a case in test_trainer.c. */
#ifndef TRAIN_OP_H
#define TRAIN_OP_H
#include "network/parameters.h"

typedef struct train_op train_op;

typedef struct train_plane {
  int height, width, channels;
} train_plane;

/* One node, or dropout. */
typedef struct train_step {
  const train_op *op;
  const cam_node *node;   /* NULL: dropout */
  const cam_node *finish; /* conv: an activation, done on what it writes; or NULL */
  int n_inputs, inputs[NODE_MAX_INPUTS], output; /* planes */
  train_plane in[NODE_MAX_INPUTS], out;
  int top, left;                /* padding before */
  bool wanted[NODE_MAX_INPUTS]; /* is there a gradient of this input? */
  bool first[NODE_MAX_INPUTS];  /* backward: the gradient of this input is written, not added to */
  int parameter[SLOTS];         /* of the set; -1: none */
} train_step;

/* A step on n samples; every pointer to a plane is to n of them. */
typedef struct train_task {
  const train_step *step;
  int n;
  const float *in[NODE_MAX_INPUTS];
  float *out;          /* written forward, read backward by those that NEED_OUTPUT */
  float *out_gradient; /* read; may be written over */
  float *in_gradient[NODE_MAX_INPUTS]; /* NULL: not wanted */
  const float *tensor[SLOTS];          /* NULL: the node has none */
  float *tensor_gradient[SLOTS];       /* added to */
  const float *factors;                /* dropout's, [n, values of its plane] */
  float *scratch;                      /* [op->scratch] */
} train_task;

enum {
  NEEDS_INPUTS = 1 << 0,  /* backward reads the inputs */
  NEEDS_OUTPUT = 1 << 1,  /* backward reads the output */
  OVER_INPUT = 1 << 2,    /* the output may be written over the first input */
  OVER_GRADIENT = 1 << 3, /* the first input's gradient may be written over the output's */
  OVER_EITHER = 1 << 4,   /* both go for the second input as well */
  TAKES_FINISH = 1 << 5,  /* does an activation that only NEEDS_OUTPUT on what it writes */
  CAN_FINISH = 1 << 6     /* is one */
};

struct train_op {
  unsigned is;
  void (*forward)(const train_task *task);
  void (*backward)(const train_task *task);
  size_t (*scratch)(const train_step *step, int n); /* floats; NULL: none */
};

/* Of a node; of dropout where it is NULL. */
const train_op *train_op_of(const cam_node *node);

/* Products (train_product.c). */
extern const train_op train_op_conv, train_op_fc;
/* A filter a channel (train_depthwise.c). */
bool train_depthwise_takes(const cam_node *conv);
extern const train_op train_op_depthwise;
/* Windows, means and moves (train_planes.c). */
extern const train_op train_op_max_pool, train_op_avg_pool, train_op_gap, train_op_flatten,
    train_op_moves, train_op_concat;
/* Value by value, cell by cell (train_values.c). */
extern const train_op train_op_clamp, train_op_smooth, train_op_sigmoid, train_op_add, train_op_mul,
    train_op_affine, train_op_layer_norm, train_op_dropout;

static inline size_t train_cells(const train_plane *p) {
  return (size_t)p->height * (size_t)p->width;
}
static inline size_t train_values(const train_plane *p) {
  return train_cells(p) * (size_t)p->channels;
}

/* What a convolution does on rows of its output, [rows,channels], while they are in the cache: adds
 * the bias (NULL: none) and does `finish` (NULL: nothing). */
void train_finish_rows(const cam_node *finish, const float *bias, float *rows, size_t n,
                       int channels);
/* Backward: the rows' gradient times the slope of `finish`, in place; its sums are added to
 * bias_gradient (NULL: none). rows: as finished. */
void train_unfinish_rows(const cam_node *finish, const float *rows, float *gradient, size_t n,
                         int channels, float *bias_gradient);

#endif
