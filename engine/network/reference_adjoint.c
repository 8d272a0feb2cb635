/* reference_adjoint.c - reference_node_adjoint: the adjoint of every operator from its definition,
 * in double, in plain loops. Do not make it fast: what trains is tested against it. Each walks its
 * operator's output as reference.c does, and where that reads a value times a factor, adds to that
 * value's gradient the output's times the factor. */
#include "reference_node.h"
#include <math.h>

typedef reference_plane plane;
typedef reference_call call;
typedef reference_gradient gradient;

/* Of the values of a cell of a plane: where their gradients are in an array as large. */
static size_t cell_place(const plane *p, int y, int x) {
  return (size_t)(reference_cell(p, y, x) - p->at);
}

/* ---- products ---- */

/* One cell of the input under one of the kernel's, `row` the first of its rows of the weight. */
static void conv_cell_back(const call *c, const gradient *to, const double *out, size_t in,
                           size_t row) {
  int channels = c->out.channels, in_group = c->in[0].channels / c->node->groups,
      out_group = channels / c->node->groups;
  for (int k = 0; k < channels; k++)
    for (int a = 0; a < in_group; a++) {
      size_t read = in + (size_t)(k / out_group * in_group + a),
             weight = (row + (size_t)a) * (size_t)channels + (size_t)k;
      if (to->in[0])
        to->in[0][read] += out[k] * reference_value(c, SLOT_WEIGHT, weight);
      if (to->tensor[SLOT_WEIGHT])
        to->tensor[SLOT_WEIGHT][weight] += out[k] * c->in[0].at[read];
    }
}

static void conv_back(const call *c, const gradient *to) {
  const cam_node *node = c->node;
  const plane *in = &c->in[0];
  int in_group = in->channels / node->groups;
  for (int y = 0; y < c->out.height; y++)
    for (int x = 0; x < c->out.width; x++) {
      const double *out = to->out + cell_place(&c->out, y, x);
      for (int k = 0; k < c->out.channels && to->tensor[SLOT_BIAS]; k++)
        to->tensor[SLOT_BIAS][k] += out[k];
      for (int i = 0; i < node->kernel[0]; i++)
        for (int j = 0; j < node->kernel[1]; j++) {
          int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
          size_t row = (size_t)(i * node->kernel[1] + j) * (size_t)in_group;
          if (reference_inside(in, yy, xx))
            conv_cell_back(c, to, out, cell_place(in, yy, xx), row);
        }
    }
}

static void fc_back(const call *c, const gradient *to) {
  size_t in = reference_values(&c->in[0]);
  for (int k = 0; k < c->out.channels; k++) {
    if (to->tensor[SLOT_BIAS])
      to->tensor[SLOT_BIAS][k] += to->out[k];
    for (size_t i = 0; i < in; i++) {
      size_t weight = (size_t)k * in + i;
      if (to->in[0])
        to->in[0][i] += to->out[k] * reference_value(c, SLOT_WEIGHT, weight);
      if (to->tensor[SLOT_WEIGHT])
        to->tensor[SLOT_WEIGHT][weight] += to->out[k] * c->in[0].at[i];
    }
  }
}

/* ---- pools and means ---- */

/* The cells under a window that are in the plane: cells[n], each the first of its values; returns
 * n. *padded: how many are in the plane or its padding. */
static int window(const call *c, int y, int x, size_t *cells, int *padded) {
  const cam_node *node = c->node;
  int n = 0;
  *padded = 0;
  for (int i = 0; i < node->kernel[0]; i++)
    for (int j = 0; j < node->kernel[1]; j++) {
      int yy = y * node->stride[0] - c->top + i, xx = x * node->stride[1] - c->left + j;
      *padded += reference_is_padded(c, yy, xx);
      if (reference_inside(&c->in[0], yy, xx))
        cells[n++] = cell_place(&c->in[0], yy, xx);
    }
  return n;
}

/* The largest takes all, of equal ones the first, as TensorFlow has it. */
static void max_back(const call *c, const gradient *to, const size_t *cells, int n, int k,
                     double out) {
  size_t largest = cells[0] + (size_t)k;
  for (int i = 1; i < n; i++)
    if (c->in[0].at[cells[i] + (size_t)k] > c->in[0].at[largest])
      largest = cells[i] + (size_t)k;
  to->in[0][largest] += out;
}

static void pool_back(const call *c, const gradient *to) {
  enum { MOST = NODE_MAX_KERNEL * NODE_MAX_KERNEL };
  size_t cells[MOST];
  for (int y = 0; y < c->out.height && to->in[0]; y++)
    for (int x = 0; x < c->out.width; x++) {
      int padded, n = window(c, y, x, cells, &padded), count = n;
      const double *out = to->out + cell_place(&c->out, y, x);
      if (c->node->count_include_pad)
        count = padded;
      for (int k = 0; k < c->out.channels; k++) {
        if (c->node->op == OP_MAX_POOL)
          max_back(c, to, cells, n, k, out[k]);
        for (int i = 0; i < n && c->node->op == OP_AVG_POOL; i++)
          to->in[0][cells[i] + (size_t)k] += out[k] / count;
      }
    }
}

static void gap_back(const call *c, const gradient *to) {
  size_t n = reference_values(&c->in[0]), channels = (size_t)c->in[0].channels;
  for (size_t i = 0; i < n && to->in[0]; i++)
    to->in[0][i] += to->out[i % channels] / (double)(n / channels);
}

/* ---- value by value ---- */

static void add_back(const call *c, const gradient *to) {
  size_t n = reference_values(&c->out);
  for (int k = 0; k < 2; k++)
    for (size_t i = 0; i < n && to->in[k]; i++)
      to->in[k][i] += to->out[i];
}

static void mul_back(const call *c, const gradient *to) {
  size_t n = reference_values(&c->out),
         m = reference_values(&c->in[1]); /* equal, or a factor a channel */
  for (size_t i = 0; i < n; i++) {
    if (to->in[0])
      to->in[0][i] += to->out[i] * c->in[1].at[i % m];
    if (to->in[1])
      to->in[1][i % m] += to->out[i] * c->in[0].at[i];
  }
}

static bool lies_between(double x, double least, double most) { return x > least && x < most; }

static double slope_at(const cam_node *node, double x) {
  const double sigmoid = 1 / (1 + exp(-x));
  switch (node->op) {
  case OP_RELU:
    return x > 0;
  case OP_RELU6:
    return lies_between(x, 0, 6);
  case OP_CLIP:
    return lies_between(x, node->least, node->most);
  case OP_SIGMOID:
    return sigmoid * (1 - sigmoid);
  case OP_HARD_SIGMOID:
    return node->slope * lies_between(node->slope * x + node->offset, 0, 1);
  case OP_SILU:
    return sigmoid + x * sigmoid * (1 - sigmoid);
  case OP_HARD_SWISH:
    if (lies_between(x, -3, 3))
      return (2 * x + 3) / 6;
    return x > 0;
  case OP_GELU:
    return (1 + erf(x / sqrt(2))) / 2 + x * exp(-x * x / 2) / sqrt(2 * M_PI);
  default:
    return NAN;
  }
}

static void activation_back(const call *c, const gradient *to) {
  size_t n = reference_values(&c->out);
  for (size_t i = 0; i < n && to->in[0]; i++)
    to->in[0][i] += to->out[i] * slope_at(c->node, c->in[0].at[i]);
}

static void affine_back(const call *c, const gradient *to) {
  size_t n = reference_values(&c->out), channels = (size_t)c->out.channels;
  for (size_t i = 0; i < n; i++) {
    if (to->in[0])
      to->in[0][i] += to->out[i] * reference_value(c, SLOT_SCALE, i % channels);
    if (to->tensor[SLOT_SCALE])
      to->tensor[SLOT_SCALE][i % channels] += to->out[i] * c->in[0].at[i];
    if (to->tensor[SLOT_SHIFT])
      to->tensor[SLOT_SHIFT][i % channels] += to->out[i];
  }
}

/* One cell: with z = (x - mean) / deviation and h = out * scale, by x it is
 * (h - mean of h - z * mean of h z) / deviation. */
static void normal_cell_back(const call *c, const gradient *to, size_t first) {
  int n = c->out.channels;
  const double *x = c->in[0].at + first, *out = to->out + first;
  double mean = 0, variance = 0, mean_h = 0, mean_hz = 0;
  for (int k = 0; k < n; k++)
    mean += x[k] / n;
  for (int k = 0; k < n; k++)
    variance += (x[k] - mean) * (x[k] - mean) / n;
  double deviation = sqrt(variance + c->node->epsilon);
  for (int k = 0; k < n; k++) {
    double z = (x[k] - mean) / deviation, h = out[k] * reference_value(c, SLOT_SCALE, (size_t)k);
    mean_h += h / n;
    mean_hz += h * z / n;
    if (to->tensor[SLOT_SCALE])
      to->tensor[SLOT_SCALE][k] += out[k] * z;
    if (to->tensor[SLOT_SHIFT])
      to->tensor[SLOT_SHIFT][k] += out[k];
  }
  for (int k = 0; k < n && to->in[0]; k++) {
    double z = (x[k] - mean) / deviation, h = out[k] * reference_value(c, SLOT_SCALE, (size_t)k);
    to->in[0][first + (size_t)k] += (h - mean_h - z * mean_hz) / deviation;
  }
}

static void layer_norm_back(const call *c, const gradient *to) {
  for (int y = 0; y < c->out.height; y++)
    for (int x = 0; x < c->out.width; x++)
      normal_cell_back(c, to, cell_place(&c->out, y, x));
}

/* ---- moves ---- */

static void concat_back(const call *c, const gradient *to) {
  for (int y = 0; y < c->out.height; y++)
    for (int x = 0; x < c->out.width; x++) {
      const double *out = to->out + cell_place(&c->out, y, x);
      for (int i = 0; i < c->node->n_inputs; out += c->in[i].channels, i++)
        for (int k = 0; k < c->in[i].channels && to->in[i]; k++)
          to->in[i][cell_place(&c->in[i], y, x) + (size_t)k] += out[k];
    }
}

/* Which of the input's values is read for channel k of the output. */
static size_t moved_from(const call *c, int y, int x, int k) {
  const cam_node *node = c->node;
  const plane *in = &c->in[0];
  switch (node->op) {
  case OP_SLICE:
    return cell_place(in, y, x) + (size_t)(node->begin + k);
  case OP_SHUFFLE: /* [groups, channels of a group] transposed */
    return cell_place(in, y, x) +
           (size_t)(k % node->groups * (in->channels / node->groups) + k / node->groups);
  case OP_RESIZE:
    return cell_place(in, y / node->factor[0], x / node->factor[1]) + (size_t)k;
  default: /* flatten: the same order */
    return (size_t)k;
  }
}

static void move_back(const call *c, const gradient *to) {
  for (int y = 0; y < c->out.height && to->in[0]; y++)
    for (int x = 0; x < c->out.width; x++)
      for (int k = 0; k < c->out.channels; k++)
        to->in[0][moved_from(c, y, x, k)] += to->out[cell_place(&c->out, y, x) + (size_t)k];
}

void reference_node_adjoint(const call *c, const gradient *to) {
  /* clang-format off */
  static void (*const adjoints[OP_COUNT])(const call *, const gradient *) = {
      [OP_CONV] = conv_back,
      [OP_MAX_POOL] = pool_back, [OP_AVG_POOL] = pool_back,
      [OP_RELU] = activation_back, [OP_RELU6] = activation_back, [OP_CLIP] = activation_back,
      [OP_SIGMOID] = activation_back, [OP_HARD_SIGMOID] = activation_back,
      [OP_SILU] = activation_back, [OP_HARD_SWISH] = activation_back,
      [OP_GELU] = activation_back,
      [OP_ADD] = add_back, [OP_MUL] = mul_back, [OP_AFFINE] = affine_back,
      [OP_LAYER_NORM] = layer_norm_back,
      [OP_CONCAT] = concat_back, [OP_SLICE] = move_back, [OP_SHUFFLE] = move_back,
      [OP_RESIZE] = move_back,
      [OP_GAP] = gap_back, [OP_FLATTEN] = move_back, [OP_FC] = fc_back,
  };
  /* clang-format on */
  adjoints[c->node->op](c, to);
}
