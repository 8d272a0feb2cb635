/* planes.c - operators that pool cells or move them: pools, means, and what joins, picks, reorders
 * or repeats. Flow: forward -> [planes] -> kernels. Thread: plan one, run any. A piece is a range
 * of output rows, or, of the mean of a whole plane, of channels. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

/* ---- pools: of the cells under the kernel those that are inside the plane ---- */

bool pool_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_MAX_POOL || node->op == OP_AVG_POOL;
}

int pool_count(const step *s, int top, int left, int n) {
  const cam_node *node = s->l->node;
  if (!node->count_include_pad)
    return n;
  if (node->padding == PAD_SAME)
    return node->kernel[0] * node->kernel[1];
  return min_int(node->kernel[0], s->in_height + node->pads[2] - top) *
         min_int(node->kernel[1], s->in_width + node->pads[3] - left);
}

static void pool_cell(const network *net, const step *s, int y, int x) {
  const cam_node *node = s->l->node;
  const float *cell[NODE_MAX_KERNEL * NODE_MAX_KERNEL];
  int top = y * node->stride[0] - s->top, left = x * node->stride[1] - s->left, n = 0;
  for (int i = max_int(0, -top); i < min_int(node->kernel[0], s->in_height - top); i++)
    for (int j = max_int(0, -left); j < min_int(node->kernel[1], s->in_width - left); j++)
      cell[n++] = s->in[0] + ((ptrdiff_t)(top + i) * s->in_width + left + j) * s->in_strides[0];
  float *out = s->out + ((ptrdiff_t)y * s->out_width + x) * s->out_stride;
  if (node->op == OP_MAX_POOL)
    net->k->max_cells(cell, n, s->out_stride, out);
  else
    net->k->mean_cells(cell, n, pool_count(s, top, left, n), s->out_stride, out);
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

/* ---- the mean of a whole plane ---- */

static bool mean_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_GAP;
}

static void mean_plan(const network *net, step *s, int threads) {
  s->pieces[0] = 1;
  if (threads > 1 && !is_small_plane(s->in_cells[0], s->out_stride))
    s->pieces[0] = min_int(s->out_stride / net->k->width, threads);
}

static void mean_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  (void)scratch;
  const int width = net->k->width;
  const range vectors = part_of(s->out_stride / width, piece, s->pieces[0]);
  net->k->average(s->in[0] + vectors.begin * width, s->in_height * s->in_width, s->in_strides[0],
                  (vectors.end - vectors.begin) * width, s->out + vectors.begin * width);
}

const layer_type layer_mean = {
    .name = "mean", .fits = mean_fits, .plan = mean_plan, .run = mean_run};

/* ---- channels joined, picked or reordered, cells repeated; what is left of the last vector
 * becomes 0 ---- */

/* Makes an output cell. */
typedef void cell_maker(const step *s, int cell, float *out);

static void end_cell(const step *s, float *out) {
  const int channels = s->l->channels;
  memset(out + channels, 0, (size_t)(s->out_stride - channels) * sizeof *out);
}

static void join_channels(const step *s, int cell, float *out) {
  for (int i = 0; i < s->l->n_inputs; i++) {
    memcpy(out, s->in[i] + (ptrdiff_t)cell * s->in_strides[i],
           (size_t)s->in_channels[i] * sizeof *out);
    out += s->in_channels[i];
  }
}

static void pick_channels(const step *s, int cell, float *out) {
  memcpy(out, s->in[0] + (ptrdiff_t)cell * s->in_strides[0] + s->l->node->begin,
         (size_t)s->l->channels * sizeof *out);
}

static inline void transpose(const float *in, const int groups, int n, float *restrict out) {
  for (int k = 0; k < n; k++)
    for (int g = 0; g < groups; g++)
      out[k * groups + g] = in[g * n + k];
}

static void shuffle_channels(const step *s, int cell, float *out) {
  const int groups = s->l->node->groups, n = s->l->channels / groups;
  const float *in = s->in[0] + (ptrdiff_t)cell * s->in_strides[0];
  if (groups == 2) /* ShuffleNet's: the compiler makes vectors of a number that it knows */
    transpose(in, 2, n, out);
  else
    transpose(in, groups, n, out);
}

static void repeat_cell(const step *s, int cell, float *out) {
  const int *factor = s->l->node->factor;
  const int y = cell / s->out_width / factor[0], x = cell % s->out_width / factor[1];
  memcpy(out, s->in[0] + ((ptrdiff_t)y * s->in_width + x) * s->in_strides[0],
         (size_t)s->l->channels * sizeof *out);
}

/* NULL: an operator of another kind. */
static cell_maker *const cell_makers[OP_COUNT] = {
    [OP_CONCAT] = join_channels,
    [OP_SLICE] = pick_channels,
    [OP_SHUFFLE] = shuffle_channels,
    [OP_RESIZE] = repeat_cell,
};

/* The copy of the picture is a layer of no node of its own. */
static cell_maker *maker_of(const layer *l) {
  if (!l->last)
    return join_channels;
  return cell_makers[l->node->op];
}

static bool moves_fits(const network *net, const cam_node *node) {
  (void)net;
  return cell_makers[node->op] != NULL;
}

static void moves_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)net;
  (void)phase;
  (void)scratch;
  const range cells = cells_of(s, piece);
  cell_maker *const make = maker_of(s->l);
  float *out = s->out + (ptrdiff_t)cells.begin * s->out_stride;
  for (int m = cells.begin; m < cells.end; m++, out += s->out_stride) {
    make(s, m, out);
    end_cell(s, out);
  }
}

const layer_type layer_moves = {
    .name = "moves",
    .fits = moves_fits,
    .plan = plan_rows,
    .run = moves_run,
    .reads_picture = true,
};
