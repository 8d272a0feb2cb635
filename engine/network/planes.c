/* planes.c - operators without weights, on whole planes: pools, concatenation, and the sums and
 * activations that could not be fused. Flow: forward -> [planes] -> kernels. Thread: plan one, run
 * any. A piece is a range of output rows. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

static void plan_rows(const network *net, step *s, int threads) {
  (void)net;
  s->pieces[0] = pieces_by_rows(s, threads);
}

/* The cells of a piece's rows: all that an operator on single cells needs. */
static range cells_of(const step *s, int piece) {
  const range rows = part_of(s->out_height, piece, s->pieces[0]);
  return (range){rows.begin * s->out_width, rows.end * s->out_width};
}

/* ---- pools: of the cells under the kernel those that are inside the plane ---- */

static bool pool_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_MAX_POOL || node->op == OP_AVG_POOL;
}

static void pool_cell(const network *net, const step *s, int y, int x) {
  const cam_node *node = s->l->node;
  const float *cell[64 * 64];
  int top = y * node->stride[0] - s->top, left = x * node->stride[1] - s->left, n = 0;
  for (int i = max_int(0, -top); i < min_int(node->kernel[0], s->in_height - top); i++)
    for (int j = max_int(0, -left); j < min_int(node->kernel[1], s->in_width - left); j++)
      cell[n++] = s->in[0] + ((ptrdiff_t)(top + i) * s->in_width + left + j) * s->in_strides[0];
  float *out = s->out + ((ptrdiff_t)y * s->out_width + x) * s->out_stride;
  if (node->op == OP_MAX_POOL)
    net->k->max_cells(cell, n, s->out_stride, out);
  else
    net->k->mean_cells(cell, n, s->out_stride, out);
}

static void pool_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  (void)scratch;
  const range rows = part_of(s->out_height, piece, s->pieces[0]);
  for (int y = rows.begin; y < rows.end; y++)
    for (int x = 0; x < s->out_width; x++)
      pool_cell(net, s, y, x);
}

const layer_type layer_pool = {
    .name = "pool", .fits = pool_fits, .plan = plan_rows, .run = pool_run};

/* ---- concatenation along channels; what is left of the last vector becomes 0 ---- */

static bool concat_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_CONCAT;
}

static void concat_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)net;
  (void)phase;
  (void)scratch;
  const range cells = cells_of(s, piece);
  for (int m = cells.begin; m < cells.end; m++) {
    float *out = s->out + (ptrdiff_t)m * s->out_stride, *end = out + s->out_stride;
    for (int i = 0; i < s->l->n_inputs; i++) {
      memcpy(out, s->in[i] + (ptrdiff_t)m * s->in_strides[i],
             (size_t)s->in_channels[i] * sizeof *out);
      out += s->in_channels[i];
    }
    memset(out, 0, (size_t)(end - out) * sizeof *out);
  }
}

const layer_type layer_concat = {
    .name = "concat",
    .fits = concat_fits,
    .plan = plan_rows,
    .run = concat_run,
    .reads_picture = true,
};

/* ---- value by value: sums, activations ---- */

static bool elementwise_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_ADD || node->op == OP_RELU || node->op == OP_RELU6;
}

static void elementwise_run(const network *net, const step *s, int phase, int piece,
                            float *scratch) {
  (void)phase;
  (void)scratch;
  const range cells = cells_of(s, piece);
  ptrdiff_t begin = (ptrdiff_t)cells.begin * s->out_stride,
            end = (ptrdiff_t)cells.end * s->out_stride;
  const float *other = NULL;
  if (s->l->n_inputs > 1)
    other = s->in[1] + begin;
  net->k->combine(s->in[0] + begin, other, (size_t)(end - begin), s->out + begin, s->l->finish);
}

const layer_type layer_elementwise = {
    .name = "elementwise",
    .fits = elementwise_fits,
    .plan = plan_rows,
    .run = elementwise_run,
};
