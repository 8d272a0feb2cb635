/* reference_int8.c - the integer twin: reference_plane.h. Every operator of an 8-bit network from
 * its definition (quantized.h), in plain loops over whole numbers, rounded by the one rule. The
 * fast layers must come to the same bits. */
#include "cam_minmax.h"
#include "quantized.h"
#include "reference_plane.h"
#include <math.h>

static quantization input_quantum(const call *c, int k) {
  const int8_unit unit = quantized_unit(c->graph, c->node);
  return quantized_input(c->graph, unit.heart->inputs[k]);
}

/* f -> the level of it that the unit leaves. */
static double rounded_level(const call *c, float f) {
  const int8_unit unit = quantized_unit(c->graph, c->node);
  const int zero_point = c->node->quantum.zero_point;
  int low, high;
  quantized_ends(&unit, &low, &high);
  f = fminf(fmaxf(f, (float)(low - zero_point)), (float)(high - zero_point));
  return (int)rintf(f) + zero_point;
}

/* ---- convolutions ---- */

/* out[channels of a group] += level * weight[channels of a group], whole numbers below 2^53. */
static void add_products(double level, const int8_t *weight, int n, double *out) {
  for (int k = 0; k < n; k++)
    out[k] += level * weight[k];
}

/* What one cell under the kernel, (y, x) of the plane or of its padding, gives to the sums. */
static void add_cell(const call *c, const cam_node *conv, int y, int x, const int8_t *weight,
                     double *sums) {
  const int in_group = c->in[0].channels / conv->groups, out_group = conv->channels / conv->groups;
  for (int channel = 0; channel < c->in[0].channels; channel++) {
    double level = quantized_padding(c->graph, conv->inputs[0], channel);
    if (inside(&c->in[0], y, x))
      level = cell(&c->in[0], y, x)[channel];
    const int first = channel / in_group * out_group;
    add_products(level, weight + channel % in_group * conv->channels + first, out_group,
                 sums + first);
  }
}

/* The sum of a channel, and the residual of its cell where the unit has one -> a level. */
static double finished_sum(const call *c, const int8_unit *unit, double sum, int channel,
                           const double *residual) {
  float f = (float)(int32_t)sum * quantized_multiplier(c->graph, unit, channel);
  if (unit->residual != NO_NODE) {
    const quantization from = quantized_input(c->graph, unit->residual);
    const float term = (float)((int)residual[channel] - from.zero_point) *
                       quantized_ratio(from, c->node->quantum);
    f = f + term;
  }
  return rounded_level(c, f);
}

static void conv_levels(const call *c, int y) {
  const int8_unit unit = quantized_unit(c->graph, c->node);
  const cam_node *conv = unit.heart;
  const size_t step = (size_t)(c->in[0].channels / conv->groups * conv->channels);
  for (int x = 0; x < c->out.width; x++) {
    double *out = cell(&c->out, y, x), *residual = NULL;
    const int8_t *weight = conv->weight->bytes;
    for (int k = 0; k < c->out.channels; k++)
      out[k] = c->bias[k];
    for (int i = 0; i < conv->kernel[0]; i++)
      for (int j = 0; j < conv->kernel[1]; j++, weight += step)
        add_cell(c, conv, y * conv->stride[0] - c->top + i, x * conv->stride[1] - c->left + j,
                 weight, out);
    if (unit.residual != NO_NODE)
      residual = cell(&c->residual, y, x);
    for (int k = 0; k < c->out.channels; k++)
      out[k] = finished_sum(c, &unit, out[k], k, residual);
  }
}

/* ---- sums, products, affines ---- */

static float level_from_zero(const call *c, int k, double level) {
  return (float)((int)level - input_quantum(c, k).zero_point);
}

static void add_levels(const call *c, int y) {
  const float a = quantized_ratio(input_quantum(c, 0), c->node->quantum),
              b = quantized_ratio(input_quantum(c, 1), c->node->quantum);
  for (int i = 0; i < c->out.width * c->out.channels; i++) {
    const float first = level_from_zero(c, 0, cell(&c->in[0], y, 0)[i]) * a,
                second = level_from_zero(c, 1, cell(&c->in[1], y, 0)[i]) * b;
    cell(&c->out, y, 0)[i] = rounded_level(c, first + second);
  }
}

static void multiply_levels(const call *c, int y) {
  const plane *b = &c->in[1];
  const bool one_cell = b->height == 1 && b->width == 1;
  const float factor = quantized_product(input_quantum(c, 0), input_quantum(c, 1),
                                         c->node->quantum);
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++) {
      const double *other = one_cell ? b->at : cell(b, y, x);
      const float product = level_from_zero(c, 0, cell(&c->in[0], y, x)[k]) *
                            level_from_zero(c, 1, other[k]); /* whole, below 2^16 */
      cell(&c->out, y, x)[k] = rounded_level(c, product * factor);
    }
}

static void affine_levels(const call *c, int y) {
  const int8_unit unit = quantized_unit(c->graph, c->node);
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++) {
      float factor, shift;
      quantized_affine(c->graph, &unit, k, &factor, &shift);
      const float product = level_from_zero(c, 0, cell(&c->in[0], y, x)[k]) * factor;
      cell(&c->out, y, x)[k] = rounded_level(c, product + shift);
    }
}

/* ---- pools and means ---- */

/* Cells of the plane and its padding: as in reference.c. */
static bool counts(const call *c, int y, int x) {
  const int *pads = c->node->pads;
  if (c->node->padding == PAD_SAME)
    return true;
  return y < c->in[0].height + pads[2] && x < c->in[0].width + pads[3];
}

static void pool_cell_levels(const call *c, int y, int x, int k, const uint8_t table[256]) {
  const cam_node *node = c->node;
  int most = 0, sum = 0, n = 0, padded = 0;
  for (int i = 0; i < node->kernel[0]; i++)
    for (int j = 0; j < node->kernel[1]; j++) {
      const int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
      padded += counts(c, yy, xx);
      if (!inside(&c->in[0], yy, xx))
        continue;
      const int level = (int)cell(&c->in[0], yy, xx)[k];
      most = max_int(most, level);
      sum += level - input_quantum(c, 0).zero_point;
      n++;
    }
  if (node->op == OP_MAX_POOL) {
    cell(&c->out, y, x)[k] = table[most];
    return;
  }
  if (node->count_include_pad)
    n = padded;
  cell(&c->out, y,
       x)[k] = rounded_level(c, (float)sum * quantized_mean(input_quantum(c, 0), node->quantum, n));
}

static void pool_levels(const call *c, int y) {
  uint8_t table[256];
  quantized_table(c->node, input_quantum(c, 0), table);
  for (int x = 0; x < c->out.width; x++)
    for (int k = 0; k < c->out.channels; k++)
      pool_cell_levels(c, y, x, k, table);
}

static int64_t sum_of_levels(const plane *p, int channel, int zero_point) {
  int64_t sum = 0;
  for (int i = 0; i < p->height * p->width; i++)
    sum += (int)p->at[(size_t)i * (size_t)p->channels + (size_t)channel] - zero_point;
  return sum;
}

static void mean_levels(const call *c, int y) {
  const quantization in = input_quantum(c, 0);
  const float factor = quantized_mean(in, c->node->quantum, c->in[0].height * c->in[0].width);
  (void)y;
  for (int k = 0; k < c->out.channels; k++)
    c->out.at[k] = rounded_level(c, (float)sum_of_levels(&c->in[0], k, in.zero_point) * factor);
}

/* ---- what moves levels, or looks each up ---- */

/* The levels of input k, in the output's scale. */
static void copy_levels(const call *c, int k, const double *from, int n, double *to) {
  uint8_t table[256];
  quantized_table(c->node, input_quantum(c, k), table);
  for (int i = 0; i < n; i++)
    to[i] = table[(int)from[i]];
}

static void join_levels(const call *c, int y) {
  for (int x = 0; x < c->out.width; x++) {
    double *out = cell(&c->out, y, x);
    for (int k = 0; k < c->node->n_inputs; out += c->in[k].channels, k++)
      copy_levels(c, k, cell(&c->in[k], y, x), c->in[k].channels, out);
  }
}

static void slice_levels(const call *c, int y) {
  for (int x = 0; x < c->out.width; x++)
    copy_levels(c, 0, cell(&c->in[0], y, x) + c->node->begin, c->out.channels, cell(&c->out, y, x));
}

static void shuffle_levels(const call *c, int y) {
  const int groups = c->node->groups, n = c->out.channels / groups;
  for (int x = 0; x < c->out.width; x++)
    for (int g = 0; g < groups; g++)
      for (int k = 0; k < n; k++)
        copy_levels(c, 0, cell(&c->in[0], y, x) + g * n + k, 1,
                    cell(&c->out, y, x) + k * groups + g);
}

static void repeat_levels(const call *c, int y) {
  const int *factor = c->node->factor;
  for (int x = 0; x < c->out.width; x++)
    copy_levels(c, 0, cell(&c->in[0], y / factor[0], x / factor[1]), c->out.channels,
                cell(&c->out, y, x));
}

static void look_up_levels(const call *c, int y) {
  copy_levels(c, 0, cell(&c->in[0], y, 0), c->out.width * c->out.channels, cell(&c->out, y, 0));
}

/* ---- a node ---- */

void reference_int8_row(const call *c, int y) {
  switch (quantized_unit(c->graph, c->node).heart->op) {
  case OP_CONV:
    conv_levels(c, y);
    return;
  case OP_ADD:
    add_levels(c, y);
    return;
  case OP_MUL:
    multiply_levels(c, y);
    return;
  case OP_AFFINE:
    affine_levels(c, y);
    return;
  case OP_MAX_POOL:
  case OP_AVG_POOL:
    pool_levels(c, y);
    return;
  case OP_GAP:
    mean_levels(c, y);
    return;
  case OP_CONCAT:
    join_levels(c, y);
    return;
  case OP_SLICE:
    slice_levels(c, y);
    return;
  case OP_SHUFFLE:
    shuffle_levels(c, y);
    return;
  case OP_RESIZE:
    repeat_levels(c, y);
    return;
  default:
    look_up_levels(c, y);
  }
}

/* ---- the head ---- */

/* logits[class] of whole numbers: sums of levels, or their products with 8-bit weights. */
static double logit_of(const call *c, int class_id, int64_t sum, int cells) {
  float logit = (float)sum * quantized_share(c->graph, class_id, cells);
  if (c->node->bias) {
    const float bias = c->node->bias->data[class_id];
    logit = logit + bias;
  }
  return logit;
}

void reference_int8_head(const call *c) {
  const cam_graph *graph = c->graph;
  const cam_node *gap = &graph->nodes[graph->head];
  const int zero_point = quantized_input(graph, gap->inputs[0]).zero_point;
  const int cells = c->in[1].height * c->in[1].width; /* of the plane */
  const bool last = c->node == &graph->nodes[graph->n_nodes - 1];
  for (int k = 0; k < c->out.channels; k++) {
    int64_t sum = 0;
    if (c->node == gap)
      sum = sum_of_levels(&c->in[0], k, zero_point);
    for (int i = 0; c->node != gap && i < c->in[0].channels; i++)
      sum += (int64_t)c->in[0].at[i] *
             c->node->weight->bytes[(size_t)k * (size_t)c->in[0].channels + (size_t)i];
    c->out.at[k] = (double)sum;
    if (last)
      c->out.at[k] = logit_of(c, k, sum, cells);
  }
}
