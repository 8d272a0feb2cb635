/* train_product.c - convolutions and fc as products of matrices, over blas.
 *
 * Layout. A row is an output cell; under its kernel lie depth = kernel height x breadth x channels
 * of a group values of the input, in the order in which a group's weights lie: [depth, channels of
 * the output], a group's columns side by side. A 1x1 kernel's rows are the cells of the plane as
 * they lie; those of others are gathered, a block at a time, small enough to stay in the cache.
 *
 *   forward          out = rows * weight, then bias and activation while the block is in the cache
 *   of the weight    += rows^T * gradient
 *   of the input     gradient * weight^T, for gathered rows added to where they came from
 *
 * Blocks follow one another in order, so that each sum is one sum in one order. */
#include "base/clones.h"
#include "cam_minmax.h"
#include "network/blas.h"
#include "train_op.h"
#include <string.h>

enum {
  BLOCK_FLOATS = 256 << 10, /* of a block's rows, on both sides of the product */
  ROWS_LEAST = 512,         /* OpenBLAS copies the weights once a block */
  ROWS_MOST = 4096,
  SMALL = 1000 * 1000, /* multiply-adds up to which OpenBLAS copies no operand first */
  SMALL_ROWS = 64      /* fewer of them do not pay */
};

/* The convolution of a step, a group of it. */
typedef struct product_shape {
  int depth, in_group, out_group, in_channels, channels;
  bool gathers;
  bool small; /* blocks are such products; the weights are transposed once for the way back */
  int block;  /* rows; `most` of them, and no short block at the end */
  int most;
} product_shape;

static bool is_unit(const train_step *s) {
  const cam_node *node = s->node;
  return node->kernel[0] == 1 && node->kernel[1] == 1 && node->stride[0] == 1 &&
         node->stride[1] == 1 && train_cells(&s->in[0]) == train_cells(&s->out) && !s->top &&
         !s->left;
}

/* n: samples. */
static product_shape product_shape_of(const train_step *s, int n) {
  const cam_node *node = s->node;
  const int rows = n * (int)train_cells(&s->out);
  product_shape p = {.in_channels = s->in[0].channels, .channels = s->out.channels};
  p.in_group = p.in_channels / node->groups;
  p.out_group = p.channels / node->groups;
  p.depth = node->kernel[0] * node->kernel[1] * p.in_group;
  p.gathers = !is_unit(s);
  p.block = BLOCK_FLOATS / (p.depth + p.channels);
  p.block = max_int(ROWS_LEAST, min_int(ROWS_MOST, p.block));
  const int64_t small = SMALL / ((int64_t)p.depth * p.out_group);
  p.small = small >= SMALL_ROWS;
  if (p.small)
    p.block = (int)min_int64(p.block, small);
  p.most = min_int(p.block, rows);
  const int blocks = (rows + p.most - 1) / p.most;
  p.block = (rows + blocks - 1) / blocks;
  return p;
}

/* The scratch: the left operand of a block, then transposed weights. */
static size_t gathered_floats(const product_shape *p) {
  return (size_t)p->gathers * (size_t)p->most * (size_t)p->depth;
}

static size_t conv_scratch(const train_step *s, int n) {
  const product_shape p = product_shape_of(s, n);
  return gathered_floats(&p) + (size_t)p.small * (size_t)p.depth * (size_t)p.channels;
}

/* ---- rows ---- */

CLONES static void add_floats(const float *from, float *to, size_t n) {
  for (size_t i = 0; i < n; i++)
    to[i] += from[i];
}

/* A row of the kernel at an output cell: `n` of its cells are in the plane, the first of them cell
 * `j` of the kernel. at: where in the plane's values, of one sample. */
typedef struct kernel_row {
  int j, n;
  size_t at;
} kernel_row;

static kernel_row kernel_row_at(const train_step *s, int y, int x, int i) {
  const cam_node *node = s->node;
  const int yy = y * node->stride[0] - s->top + i, xx = x * node->stride[1] - s->left;
  kernel_row row = {max_int(0, -xx), 0, 0};
  if (yy < 0 || yy >= s->in[0].height)
    return row;
  row.n = max_int(0, min_int(node->kernel[1], s->in[0].width - xx) - row.j);
  row.at = ((size_t)yy * (size_t)s->in[0].width + (size_t)(xx + row.j)) * (size_t)s->in[0].channels;
  return row;
}

/* One row of the left operand: to [depth]; in: the sample's plane, at the group's first channel. */
static void gather_patch_row(const train_step *s, const product_shape *p, const float *in, int y,
                             int x, float *to) {
  const int kernel = s->node->kernel[1];
  const size_t group = (size_t)p->in_group, channels = (size_t)p->in_channels;
  for (int i = 0; i < s->node->kernel[0]; i++, to += (size_t)kernel * group) {
    const kernel_row row = kernel_row_at(s, y, x, i);
    if (row.n < kernel)
      memset(to, 0, (size_t)kernel * group * sizeof *to);
    if (row.n && group == channels)
      memcpy(to + (size_t)row.j * group, in + row.at, (size_t)row.n * group * sizeof *to);
    for (int j = 0; j < row.n && group < channels; j++)
      memcpy(to + (size_t)(row.j + j) * group, in + row.at + (size_t)j * channels,
             group * sizeof *to);
  }
}

/* Its adjoint: adds to the plane where gather_patch_row reads. */
static void scatter_row(const train_step *s, const product_shape *p, const float *from, int y,
                        int x, float *in) {
  const int kernel = s->node->kernel[1];
  const size_t group = (size_t)p->in_group, channels = (size_t)p->in_channels;
  for (int i = 0; i < s->node->kernel[0]; i++, from += (size_t)kernel * group) {
    const kernel_row row = kernel_row_at(s, y, x, i);
    if (row.n && group == channels)
      add_floats(from + (size_t)row.j * group, in + row.at, (size_t)row.n * group);
    for (int j = 0; j < row.n && group < channels; j++)
      add_floats(from + (size_t)(row.j + j) * group, in + row.at + (size_t)j * channels, group);
  }
}

/* Where row r, counted over all samples, is. */
typedef struct row_place {
  size_t sample; /* its plane's first value */
  int y, x;
} row_place;

static row_place place_of_row(const train_step *s, size_t r) {
  const size_t cells = train_cells(&s->out), cell = r % cells;
  return (row_place){r / cells * train_values(&s->in[0]), (int)(cell / (size_t)s->out.width),
                     (int)(cell % (size_t)s->out.width)};
}

/* The left operand of m rows from r on, for group g. */
static blas_matrix left_of(const train_task *task, const product_shape *p, size_t r, int m, int g) {
  const float *in = task->in[0] + (size_t)(g * p->in_group);
  if (!p->gathers)
    return (blas_matrix){in + r * (size_t)p->in_channels, p->in_channels, BLAS_AS_IS};
  for (int i = 0; i < m; i++) {
    const row_place at = place_of_row(task->step, r + (size_t)i);
    gather_patch_row(task->step, p, in + at.sample, at.y, at.x,
                     task->scratch + (size_t)i * (size_t)p->depth);
  }
  return (blas_matrix){task->scratch, p->depth, BLAS_AS_IS};
}

/* ---- convolutions ---- */

static size_t rows_through(const train_task *task) {
  return (size_t)task->n * train_cells(&task->step->out);
}

static void conv_forward(const train_task *task) {
  const product_shape p = product_shape_of(task->step, task->n);
  const size_t rows = rows_through(task), channels = (size_t)p.channels;
  for (size_t r = 0; r < rows; r += (size_t)p.block) {
    const int m = (int)min_size((size_t)p.block, rows - r);
    float *out = task->out + r * channels;
    for (int g = 0; g < task->step->node->groups; g++) {
      const blas_matrix right = {task->tensor[SLOT_WEIGHT] + g * p.out_group, p.channels,
                                 BLAS_AS_IS};
      blas_product(m, p.out_group, p.depth, left_of(task, &p, r, m, g), right, 0,
                   out + g * p.out_group, p.channels);
    }
    train_finish_rows(task->step->finish, task->tensor[SLOT_BIAS], out, (size_t)m, p.channels);
  }
}

/* Group g's weights, as [channels of the group, depth]. */
static blas_matrix weight_back_of(const train_task *task, const product_shape *p, int g) {
  if (p->small)
    return (blas_matrix){task->scratch + gathered_floats(p) +
                             (size_t)g * (size_t)p->out_group * (size_t)p->depth,
                         p->depth, BLAS_AS_IS};
  return (blas_matrix){task->tensor[SLOT_WEIGHT] + g * p->out_group, p->channels, BLAS_TRANSPOSED};
}

static void transpose_weights(const train_task *task, const product_shape *p) {
  const float *weight = task->tensor[SLOT_WEIGHT];
  float *to = task->scratch + gathered_floats(p);
  for (int c = 0; c < p->channels; c++)
    for (int k = 0; k < p->depth; k++)
      *to++ = weight[(size_t)k * (size_t)p->channels + (size_t)c];
}

/* The gradient of the input of group g, from that of m rows from r on. */
static void rows_back(const train_task *task, const product_shape *p, size_t r, int m, int g,
                      blas_matrix gradient) {
  const blas_matrix weight = weight_back_of(task, p, g);
  float *to = task->in_gradient[0] + g * p->in_group;
  if (!p->gathers) {
    blas_product(m, p->depth, p->out_group, gradient, weight, (float)!task->step->first[0],
                 to + r * (size_t)p->in_channels, p->in_channels);
    return;
  }
  blas_product(m, p->depth, p->out_group, gradient, weight, 0, task->scratch, p->depth);
  for (int i = 0; i < m; i++) {
    const row_place at = place_of_row(task->step, r + (size_t)i);
    scatter_row(task->step, p, task->scratch + (size_t)i * (size_t)p->depth, at.y, at.x,
                to + at.sample);
  }
}

static void conv_backward(const train_task *task) {
  const product_shape p = product_shape_of(task->step, task->n);
  const size_t rows = rows_through(task), channels = (size_t)p.channels;
  if (task->in_gradient[0] && p.gathers && task->step->first[0])
    memset(task->in_gradient[0], 0,
           (size_t)task->n * train_values(&task->step->in[0]) * sizeof(float));
  if (task->in_gradient[0] && p.small)
    transpose_weights(task, &p);
  for (size_t r = 0; r < rows; r += (size_t)p.block) {
    const int m = (int)min_size((size_t)p.block, rows - r);
    float *out_gradient = task->out_gradient + r * channels;
    train_unfinish_rows(task->step->finish, task->out + r * channels, out_gradient, (size_t)m,
                        p.channels, task->tensor_gradient[SLOT_BIAS]);
    for (int g = 0; g < task->step->node->groups; g++) {
      const blas_matrix gradient = {out_gradient + g * p.out_group, p.channels, BLAS_AS_IS};
      blas_matrix left = left_of(task, &p, r, m, g);
      left.order = BLAS_TRANSPOSED;
      if (task->tensor_gradient[SLOT_WEIGHT])
        blas_product(p.depth, p.out_group, m, left, gradient, 1,
                     task->tensor_gradient[SLOT_WEIGHT] + g * p.out_group, p.channels);
      if (task->in_gradient[0])
        rows_back(task, &p, r, m, g, gradient);
    }
  }
}

const train_op train_op_conv = {NEEDS_INPUTS | TAKES_FINISH, conv_forward, conv_backward,
                                conv_scratch};

/* ---- fc: a row is a sample, the weight [outputs, inputs] ---- */

static void fc_forward(const train_task *task) {
  const int in = (int)train_values(&task->step->in[0]), out = task->step->out.channels;
  blas_product(task->n, out, in, (blas_matrix){task->in[0], in, BLAS_AS_IS},
               (blas_matrix){task->tensor[SLOT_WEIGHT], in, BLAS_TRANSPOSED}, 0, task->out, out);
  train_finish_rows(task->step->finish, task->tensor[SLOT_BIAS], task->out, (size_t)task->n, out);
}

static void fc_backward(const train_task *task) {
  const int in = (int)train_values(&task->step->in[0]), out = task->step->out.channels;
  const blas_matrix gradient = {task->out_gradient, out, BLAS_AS_IS};
  train_unfinish_rows(task->step->finish, task->out, task->out_gradient, (size_t)task->n, out,
                      task->tensor_gradient[SLOT_BIAS]);
  if (task->tensor_gradient[SLOT_WEIGHT])
    blas_product(out, in, task->n, (blas_matrix){task->out_gradient, out, BLAS_TRANSPOSED},
                 (blas_matrix){task->in[0], in, BLAS_AS_IS}, 1, task->tensor_gradient[SLOT_WEIGHT],
                 in);
  if (task->in_gradient[0])
    blas_product(task->n, in, out, gradient,
                 (blas_matrix){task->tensor[SLOT_WEIGHT], in, BLAS_AS_IS},
                 (float)!task->step->first[0], task->in_gradient[0], in);
}

const train_op train_op_fc = {NEEDS_INPUTS | TAKES_FINISH, fc_forward, fc_backward, NULL};
