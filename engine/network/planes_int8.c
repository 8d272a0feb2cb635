/* planes_int8.c - operators in integers that pool cells or move them: planes.c over 8-bit levels.
 * Flow: forward -> [planes_int8] -> kernels_int8. Thread: prepare and plan one, run any. A piece is
 * a range of output rows. */
#include "cam_minmax.h"
#include "layers.h"
#include <stdlib.h>
#include <string.h>

static quantization quantum_read(const network *net, const layer *l) {
  return quantized_input(net->graph, l->node->inputs[0]);
}

static uint8_t *cell_of_output(const step *s, int cell) {
  return s->out8 + (ptrdiff_t)cell * s->out_stride;
}

/* ---- pools ---- */

static void pool_levels_at(const network *net, const step *s, int y, int x) {
  const layer *l = s->l;
  const cam_node *node = l->node;
  const uint8_t *cells[NODE_MAX_KERNEL * NODE_MAX_KERNEL];
  const int top = y * node->stride[0] - s->top, left = x * node->stride[1] - s->left;
  int n = 0;
  for (int i = max_int(0, -top); i < min_int(node->kernel[0], s->in_height - top); i++)
    for (int j = max_int(0, -left); j < min_int(node->kernel[1], s->in_width - left); j++)
      cells[n++] = s->in8[0] + ((ptrdiff_t)(top + i) * s->in_width + left + j) * s->in_strides[0];
  uint8_t *out = cell_of_output(s, y * s->out_width + x);
  if (node->op == OP_AVG_POOL) {
    const quantization in = quantum_read(net, l);
    const int count = pool_count(s, top, left, n);
    net->k8->sum_cells(cells, n, s->out_stride, -n * in.zero_point,
                       quantized_mean(in, node->quantum, count), &l->int8->q.range, out);
    return;
  }
  net->k8->max_cells(cells, n, s->out_stride, out);
  if (l->int8->q.range.table)
    net->k8->look_up(out, (size_t)s->out_stride, l->int8->q.range.table, out);
}

static void pool_int8_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  const range rows = part_of(s->out_height, piece, s->pieces[0]);
  (void)phase;
  (void)scratch;
  for (int y = rows.begin; y < rows.end; y++)
    for (int x = 0; x < s->out_width; x++)
      pool_levels_at(net, s, y, x);
}

const layer_type layer_pool_int8 = {
    .name = "pool8", .fits = pool_fits, .plan = plan_rows, .run = pool_int8_run};

/* ---- the mean of a whole plane ---- */

static bool mean_int8_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_GAP;
}

static void mean_int8_plan(const network *net, step *s, int threads) {
  const int cells = s->out_stride / INT8_CELL;
  (void)net;
  s->pieces[0] = 1;
  if (threads > 1 && !is_small_plane(s->in_cells[0], s->out_stride))
    s->pieces[0] = min_int(cells, threads);
  s->scratch = (size_t)s->out_stride; /* sums */
}

/* A piece is a range of channels, in cells of them: sums, then levels. */
static void mean_int8_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  const layer *l = s->l;
  const quantization in = quantum_read(net, l);
  const range cells = part_of(s->out_stride / INT8_CELL, piece, s->pieces[0]);
  const int first = cells.begin * INT8_CELL, channels = (cells.end - cells.begin) * INT8_CELL;
  int32_t *sums = (int32_t *)(void *)scratch, bias[INT8_CELL];
  float multiplier[INT8_CELL];
  (void)phase;
  for (int c = 0; c < INT8_CELL; c++) {
    bias[c] = -in.zero_point * s->in_cells[0];
    multiplier[c] = quantized_mean(in, l->node->quantum, s->in_cells[0]);
  }
  const requantization q = {.multiplier = multiplier, .bias = bias, .range = l->int8->q.range};
  net->k8->sum_plane(s->in8[0] + first, s->in_cells[0], s->in_strides[0], channels, sums);
  for (int c = 0; c < channels; c += INT8_CELL)
    net->k8->requantise(sums + c, INT8_CELL, &q, s->out8 + first + c);
}

const layer_type layer_mean_int8 = {
    .name = "mean8", .fits = mean_int8_fits, .plan = mean_int8_plan, .run = mean_int8_run};

/* ---- channels joined, picked or reordered, cells repeated; in another scale where it differs ----
 */

typedef void level_mover(const network *net, const step *s, int cell, uint8_t *out);

/* table NULL: as they are. */
static void move_levels(const network *net, const uint8_t *from, int n, const uint8_t *table,
                        uint8_t *out) {
  if (table)
    net->k8->look_up(from, (size_t)n, table, out);
  else
    memcpy(out, from, (size_t)n);
}

static void join_levels_of(const network *net, const step *s, int cell, uint8_t *out) {
  const layer *l = s->l;
  for (int i = 0; i < l->n_inputs; out += s->in_channels[i], i++) {
    const quantization in = quantized_input(net->graph, l->node->inputs[i]);
    const uint8_t *table = l->int8->tables + (size_t)i * 256;
    if (is_same_quantum(in, l->node->quantum))
      table = NULL;
    move_levels(net, s->in8[i] + (ptrdiff_t)cell * s->in_strides[i], s->in_channels[i], table, out);
  }
}

static void pick_levels(const network *net, const step *s, int cell, uint8_t *out) {
  move_levels(net, s->in8[0] + (ptrdiff_t)cell * s->in_strides[0] + s->l->node->begin,
              s->l->channels, s->l->int8->q.range.table, out);
}

static void shuffle_levels_of(const network *net, const step *s, int cell, uint8_t *out) {
  const int groups = s->l->node->groups, n = s->l->channels / groups;
  const uint8_t *in = s->in8[0] + (ptrdiff_t)cell * s->in_strides[0];
  for (int k = 0; k < n; k++)
    for (int g = 0; g < groups; g++)
      out[k * groups + g] = in[g * n + k];
  if (s->l->int8->q.range.table)
    net->k8->look_up(out, (size_t)s->l->channels, s->l->int8->q.range.table, out);
}

static void repeat_levels_of(const network *net, const step *s, int cell, uint8_t *out) {
  const int *factor = s->l->node->factor;
  const int y = cell / s->out_width / factor[0], x = cell % s->out_width / factor[1];
  move_levels(net, s->in8[0] + ((ptrdiff_t)y * s->in_width + x) * s->in_strides[0], s->l->channels,
              s->l->int8->q.range.table, out);
}

/* NULL: an operator of another kind. */
static level_mover *const level_movers[OP_COUNT] = {
    [OP_CONCAT] = join_levels_of,
    [OP_SLICE] = pick_levels,
    [OP_SHUFFLE] = shuffle_levels_of,
    [OP_RESIZE] = repeat_levels_of,
};

static bool moves_int8_fits(const network *net, const cam_node *node) {
  (void)net;
  return level_movers[node->op] != NULL;
}

/* A table an input of a concat. */
static cam_code moves_int8_prepare(const network *net, layer *l, cam_error *error) {
  const cam_node *node = l->node;
  if (node->op != OP_CONCAT)
    return CAM_OK;
  l->int8->tables = calloc((size_t)node->n_inputs, 256);
  if (!l->int8->tables)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory for its tables", node->name);
  for (int i = 0; i < node->n_inputs; i++)
    quantized_table(node, quantized_input(net->graph, node->inputs[i]),
                    l->int8->tables + (size_t)i * 256);
  return CAM_OK;
}

static void moves_int8_run(const network *net, const step *s, int phase, int piece,
                           float *scratch) {
  const range cells = cells_of(s, piece);
  (void)phase;
  (void)scratch;
  for (int m = cells.begin; m < cells.end; m++)
    level_movers[s->l->node->op](net, s, m, cell_of_output(s, m));
}

const layer_type layer_moves_int8 = {
    .name = "moves8",
    .fits = moves_int8_fits,
    .prepare = moves_int8_prepare,
    .plan = plan_rows,
    .run = moves_int8_run,
};
