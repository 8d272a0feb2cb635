/* train_values.c - operators that go value by value or cell by cell, and what convolutions do with
 * the rows that they have just written. */
#include "base/clones.h"
#include "cam_minmax.h"
#include "train_op.h"
#include <math.h>
#include <string.h>

static size_t values_through(const train_task *task) {
  return (size_t)task->n * train_values(&task->step->out);
}
static size_t cells_through(const train_task *task) {
  return (size_t)task->n * train_cells(&task->step->out);
}

/* ---- activations whose slope follows from what they give ---- */

/* min(max(slope * x + offset, low), high): relu, relu6, clip, hard_sigmoid; none is the identity.
 */
typedef struct line {
  float slope, offset, low, high;
} line;

static line line_of(const cam_node *node) {
  switch (node->op) {
  case OP_RELU:
    return (line){1, 0, 0, INFINITY};
  case OP_RELU6:
    return (line){1, 0, 0, 6};
  case OP_CLIP:
    return (line){1, 0, (float)node->least, (float)node->most};
  default:
    return (line){(float)node->slope, (float)node->offset, 0, 1};
  }
}

static inline float on_cache_line(line l, float x) {
  return max_float(l.low, min_float(l.high, l.slope * x + l.offset));
}
/* 0 at its ends, as on its flat sides. */
static inline float slope_on_line(line l, float y) {
  const int within = (y > l.low) & (y < l.high);
  return l.slope * (float)within;
}
/* e^x, within 2e-7 of itself; x is taken to be -87 to 88. After S. Moshier's Cephes: 2^n e^f, and a
 * polynomial for e^f. Without branches or calls, so that loops become wide. */
static inline float train_exp(float x) {
  const float magic = 0x1.8p23F, limited = max_float(-87, min_float(88, x)),
              shifted = limited * 1.44269504F + magic, n = shifted - magic;
  const float f = limited - n * 0.693359375F + n * 2.12194440e-4F;
  const float curve = 0.5F + f * (0.16666667F +
                                  f * (4.1665796e-2F +
                                       f * (8.3334519e-3F + f * (1.3982e-3F + f * 1.9875692e-4F))));
  const float power = 1 + f + f * f * curve;
  uint32_t bits, exponent;
  memcpy(&bits, &power, sizeof bits);
  memcpy(&exponent, &shifted, sizeof exponent);
  bits += exponent << 23;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}
static inline float train_logistic(float x) { return 1 / (1 + train_exp(-x)); }
static inline float logistic_slope(float y) { return y * (1 - y); }

CLONES static void clamp_forward(const train_task *task) {
  const size_t n = values_through(task);
  const line l = line_of(task->step->node);
  const float *in = task->in[0];
  float *out = task->out;
  for (size_t i = 0; i < n; i++)
    out[i] = on_cache_line(l, in[i]);
}

CLONES static void sigmoid_forward(const train_task *task) {
  const size_t n = values_through(task);
  const float *in = task->in[0];
  float *out = task->out;
  for (size_t i = 0; i < n; i++)
    out[i] = train_logistic(in[i]);
}

/* to[i] = or += gradient[i] * slope[i], which may be one of the other two. */
CLONES static void chain_slopes(const float *gradient, const float *slope, size_t n, bool first,
                                float *to) {
  if (first)
    for (size_t i = 0; i < n; i++)
      to[i] = gradient[i] * slope[i];
  else
    for (size_t i = 0; i < n; i++)
      to[i] += gradient[i] * slope[i];
}

enum { STRIP = 1024 }; /* values whose slopes are made at a time */

/* slope_into(node, x and y of n values, slopes): for operators that have a slope a value. */
static void back_by_slopes(const train_task *task,
                           void (*slope_into)(const cam_node *node, const float *x, const float *y,
                                              size_t n, float *slopes)) {
  const size_t all = values_through(task);
  float slopes[STRIP];
  for (size_t i = 0; i < all && task->in_gradient[0]; i += STRIP) {
    const size_t n = min_size(STRIP, all - i);
    slope_into(task->step->node, task->in[0] + i, task->out + i, n, slopes);
    chain_slopes(task->out_gradient + i, slopes, n, task->step->first[0], task->in_gradient[0] + i);
  }
}

CLONES static void clamp_slopes(const cam_node *node, const float *x, const float *y, size_t n,
                                float *slopes) {
  const line l = line_of(node);
  (void)x;
  for (size_t i = 0; i < n; i++)
    slopes[i] = slope_on_line(l, y[i]);
}
static void clamp_backward(const train_task *task) { back_by_slopes(task, clamp_slopes); }

CLONES static void sigmoid_slopes(const cam_node *node, const float *x, const float *y, size_t n,
                                  float *slopes) {
  (void)node;
  (void)x;
  for (size_t i = 0; i < n; i++)
    slopes[i] = logistic_slope(y[i]);
}
static void sigmoid_backward(const train_task *task) { back_by_slopes(task, sigmoid_slopes); }

const train_op train_op_clamp = {NEEDS_OUTPUT | OVER_INPUT | OVER_GRADIENT | CAN_FINISH,
                                 clamp_forward, clamp_backward, NULL};
const train_op train_op_sigmoid = {NEEDS_OUTPUT | OVER_INPUT | OVER_GRADIENT | CAN_FINISH,
                                   sigmoid_forward, sigmoid_backward, NULL};

/* ---- activations whose slope needs what they read ---- */

/* Each a loop that the compiler makes wide: values[n], or slopes[n], of x[n]. */
CLONES static void silu_values(const float *x, size_t n, float *values) {
  for (size_t i = 0; i < n; i++)
    values[i] = x[i] * train_logistic(x[i]);
}
CLONES static void silu_slopes(const float *x, size_t n, float *slopes) {
  for (size_t i = 0; i < n; i++) {
    const float s = train_logistic(x[i]);
    slopes[i] = s + x[i] * s * (1 - s);
  }
}

CLONES static void hard_swish_values(const float *x, size_t n, float *values) {
  for (size_t i = 0; i < n; i++)
    values[i] = x[i] * max_float(0, min_float(6, x[i] + 3)) / 6;
}
/* 0 up to -3, 1 from 3 on. */
CLONES static void hard_swish_slopes(const float *x, size_t n, float *slopes) {
  for (size_t i = 0; i < n; i++) {
    const float within = (float)((x[i] > -3) & (x[i] < 3)), above = (float)(x[i] >= 3);
    slopes[i] = within * (2 * x[i] + 3) / 6 + above;
  }
}

/* The share of the normal distribution below x, e^(-x^2 / 2) given: Abramowitz and Stegun, 7.1.26,
 * within 1e-7. */
static inline float share_of_normal(float x, float bell) {
  const float size = fabsf(x) * 0.70710678F, t = 1 / (1 + 0.3275911F * size);
  const float tail = 0.5F * bell * t *
                     (0.254829592F +
                      t * (-0.284496736F +
                           t * (1.421413741F + t * (-1.453152027F + t * 1.061405429F))));
  const float is_above = (float)(x > 0);
  return is_above + (1 - 2 * is_above) * tail;
}
CLONES static void gelu_values(const float *x, size_t n, float *values) {
  for (size_t i = 0; i < n; i++)
    values[i] = x[i] * share_of_normal(x[i], train_exp(-0.5F * x[i] * x[i]));
}
CLONES static void gelu_slopes(const float *x, size_t n, float *slopes) {
  for (size_t i = 0; i < n; i++) {
    const float bell = train_exp(-0.5F * x[i] * x[i]);
    slopes[i] = share_of_normal(x[i], bell) + x[i] * bell * 0.39894228F;
  }
}

static void smooth_forward(const train_task *task) {
  const size_t n = values_through(task);
  switch (task->step->node->op) {
  case OP_SILU:
    silu_values(task->in[0], n, task->out);
    return;
  case OP_HARD_SWISH:
    hard_swish_values(task->in[0], n, task->out);
    return;
  default:
    gelu_values(task->in[0], n, task->out);
  }
}

static void smooth_slopes(const cam_node *node, const float *x, const float *y, size_t n,
                          float *slopes) {
  (void)y;
  switch (node->op) {
  case OP_SILU:
    silu_slopes(x, n, slopes);
    return;
  case OP_HARD_SWISH:
    hard_swish_slopes(x, n, slopes);
    return;
  default:
    gelu_slopes(x, n, slopes);
  }
}
static void smooth_backward(const train_task *task) { back_by_slopes(task, smooth_slopes); }

const train_op train_op_smooth = {NEEDS_INPUTS | OVER_GRADIENT, smooth_forward, smooth_backward,
                                  NULL};

/* ---- behind a convolution ---- */

CLONES static void finish_line(line l, const float *bias, float *row, int channels) {
  for (int c = 0; c < channels; c++)
    row[c] = on_cache_line(l, row[c] + bias[c]);
}

CLONES static void add_to_row(const float *from, float *to, int channels) {
  for (int c = 0; c < channels; c++)
    to[c] += from[c];
}

CLONES static void clamp_row(line l, float *row, int channels) {
  for (int c = 0; c < channels; c++)
    row[c] = on_cache_line(l, row[c]);
}

void train_finish_rows(const cam_node *finish, const float *bias, float *rows, size_t n,
                       int channels) {
  const bool is_sigmoid = finish && finish->op == OP_SIGMOID, is_line = finish && !is_sigmoid;
  line l = {0};
  if (is_line)
    l = line_of(finish);
  for (size_t i = 0; i < n; i++, rows += channels) {
    if (is_line && bias)
      finish_line(l, bias, rows, channels);
    else if (is_line)
      clamp_row(l, rows, channels);
    else if (bias)
      add_to_row(bias, rows, channels);
    for (int c = 0; c < channels && is_sigmoid; c++)
      rows[c] = train_logistic(rows[c]);
  }
}

CLONES static void unfinish_line(line l, const float *y, float *gradient, size_t n) {
  for (size_t i = 0; i < n; i++)
    gradient[i] *= slope_on_line(l, y[i]);
}

/* bias_gradient += the sums over n rows, which are few: what is added up in one go stays exact. */
CLONES static void sum_value_rows(const float *rows, size_t n, int channels, float *bias_gradient) {
  for (int first = 0; first < channels; first += STRIP) {
    const int most = min_int(STRIP, channels - first);
    float sums[STRIP] = {0};
    for (size_t i = 0; i < n; i++)
      for (int c = 0; c < most; c++)
        sums[c] += rows[i * (size_t)channels + (size_t)(first + c)];
    for (int c = 0; c < most; c++)
      bias_gradient[first + c] += sums[c];
  }
}

/* At most this many rows are added up in one go. */
enum { FEW_ROWS = 64 };

static void unfinish_few(const cam_node *finish, const float *rows, float *gradient, size_t n,
                         int channels) {
  const size_t values = n * (size_t)channels;
  if (!finish)
    return;
  if (finish->op != OP_SIGMOID)
    unfinish_line(line_of(finish), rows, gradient, values);
  for (size_t i = 0; i < values && finish->op == OP_SIGMOID; i++)
    gradient[i] *= logistic_slope(rows[i]);
}

void train_unfinish_rows(const cam_node *finish, const float *rows, float *gradient, size_t n,
                         int channels, float *bias_gradient) {
  for (size_t i = 0; i < n; i += FEW_ROWS) {
    const size_t few = min_size(FEW_ROWS, n - i), at = i * (size_t)channels;
    unfinish_few(finish, rows + at, gradient + at, few, channels);
    if (bias_gradient)
      sum_value_rows(gradient + at, few, channels, bias_gradient);
  }
}

/* ---- sums and products of planes ---- */

/* to = or += from, which may be the same. */
CLONES static void pass_gradient(const float *from, size_t n, bool first, float *to) {
  if (from == to)
    return;
  if (first)
    memcpy(to, from, n * sizeof *to);
  else
    for (size_t i = 0; i < n; i++)
      to[i] += from[i];
}

CLONES static void add_forward(const train_task *task) {
  const size_t n = values_through(task);
  const float *a = task->in[0], *b = task->in[1];
  float *out = task->out;
  for (size_t i = 0; i < n; i++)
    out[i] = a[i] + b[i];
}

static void add_backward(const train_task *task) {
  for (int k = 0; k < 2; k++)
    if (task->in_gradient[k])
      pass_gradient(task->out_gradient, values_through(task), task->step->first[k],
                    task->in_gradient[k]);
}

const train_op train_op_add = {OVER_INPUT | OVER_GRADIENT | OVER_EITHER, add_forward, add_backward,
                               NULL};

/* The factor of sample s: a plane, or one cell for all cells. */
static bool by_cell(const train_step *s) {
  return train_cells(&s->in[1]) == 1 && train_cells(&s->out) > 1;
}

CLONES static void scale_rows(const float *a, const float *b, size_t rows, size_t n,
                              size_t b_stride, float *out) {
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < n; i++)
      out[r * n + i] = a[r * n + i] * b[r * b_stride + i];
}

static void mul_forward(const train_task *task) {
  const train_step *s = task->step;
  const size_t cells = train_cells(&s->out), n = (size_t)s->out.channels;
  if (!by_cell(s)) {
    scale_rows(task->in[0], task->in[1], 1, values_through(task), 0, task->out);
    return;
  }
  for (size_t k = 0; k < (size_t)task->n; k++)
    scale_rows(task->in[0] + k * cells * n, task->in[1] + k * n, cells, n, 0,
               task->out + k * cells * n);
}

/* to [n] = or += the sums over the rows of a * b. */
CLONES static void sum_products(const float *a, const float *b, size_t rows, size_t n, bool first,
                                float *to) {
  if (first)
    memset(to, 0, n * sizeof *to);
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < n; i++)
      to[i] += a[r * n + i] * b[r * n + i];
}

/* The factor's gradient before the first input's, which may be written over the output's. */
static void mul_backward(const train_task *task) {
  const train_step *s = task->step;
  const bool one = by_cell(s);
  const size_t rows = one ? train_cells(&s->out) : 1, n = train_values(&s->out) / rows;
  for (size_t k = 0; k < (size_t)task->n; k++) {
    const float *a = task->in[0] + k * rows * n, *b = task->in[1] + k * n;
    float *gradient = task->out_gradient + k * rows * n;
    const bool itself = task->in_gradient[0] && task->in_gradient[0] == task->in_gradient[1];
    if (task->in_gradient[1])
      sum_products(gradient, a, rows, n, s->first[1] || (itself && s->first[0]),
                   task->in_gradient[1] + k * n);
    for (size_t r = 0; r < rows && task->in_gradient[0]; r++)
      chain_slopes(gradient + r * n, b, n, s->first[0] && !itself,
                   task->in_gradient[0] + (k * rows + r) * n);
  }
}

const train_op train_op_mul = {NEEDS_INPUTS | OVER_GRADIENT, mul_forward, mul_backward, NULL};

/* ---- affine, layer norm ---- */

CLONES static void affine_forward(const train_task *task) {
  const int channels = task->step->out.channels;
  const float *in = task->in[0], *scale = task->tensor[SLOT_SCALE],
              *shift = task->tensor[SLOT_SHIFT];
  float *out = task->out;
  for (size_t i = cells_through(task); i > 0; i--, in += channels, out += channels)
    for (int c = 0; c < channels; c++)
      out[c] = in[c] * scale[c] + shift[c];
}

static void affine_backward(const train_task *task) {
  const size_t n = (size_t)task->step->out.channels, cells = cells_through(task);
  for (size_t i = 0; i < cells; i++) {
    const float *gradient = task->out_gradient + i * n;
    if (task->tensor_gradient[SLOT_SHIFT])
      add_to_row(gradient, task->tensor_gradient[SLOT_SHIFT], (int)n);
    if (task->tensor_gradient[SLOT_SCALE])
      sum_products(gradient, task->in[0] + i * n, 1, n, false, task->tensor_gradient[SLOT_SCALE]);
    if (task->in_gradient[0])
      chain_slopes(gradient, task->tensor[SLOT_SCALE], n, task->step->first[0],
                   task->in_gradient[0] + i * n);
  }
}

const train_op train_op_affine = {NEEDS_INPUTS | OVER_GRADIENT, affine_forward, affine_backward,
                                  NULL};

/* z = (x - mean) * factor has mean 0 and variance 1 over the channels. */
typedef struct standard {
  float mean, factor;
} standard;

static standard standard_of(const cam_node *node, const float *x) {
  const int n = node->channels;
  double mean = 0, variance = 0;
  for (int c = 0; c < n; c++)
    mean += x[c];
  mean /= n;
  for (int c = 0; c < n; c++)
    variance += (x[c] - mean) * (x[c] - mean);
  return (standard){(float)mean, (float)(1 / sqrt(variance / n + node->epsilon))};
}

static void layer_norm_forward(const train_task *task) {
  const int channels = task->step->out.channels;
  const float *in = task->in[0], *scale = task->tensor[SLOT_SCALE],
              *shift = task->tensor[SLOT_SHIFT];
  float *out = task->out;
  for (size_t i = cells_through(task); i > 0; i--, in += channels, out += channels) {
    const standard s = standard_of(task->step->node, in);
    for (int c = 0; c < channels; c++)
      out[c] = (in[c] - s.mean) * s.factor * scale[c] + shift[c];
  }
}

/* One cell. With h = gradient * scale, by x it is (h - mean of h - z * mean of h z) * factor. */
static void unnormalize(const train_task *task, const float *x, const float *gradient, float *to) {
  const int n = task->step->out.channels;
  const standard s = standard_of(task->step->node, x);
  const float *scale = task->tensor[SLOT_SCALE];
  float *by_scale = task->tensor_gradient[SLOT_SCALE],
        *by_shift = task->tensor_gradient[SLOT_SHIFT];
  double mean = 0, along = 0;
  for (int c = 0; c < n; c++) {
    const float z = (x[c] - s.mean) * s.factor, h = gradient[c] * scale[c];
    mean += h;
    along += h * z;
    if (by_scale)
      by_scale[c] += gradient[c] * z;
    if (by_shift)
      by_shift[c] += gradient[c];
  }
  const float mean_h = (float)(mean / n), mean_hz = (float)(along / n);
  for (int c = 0; c < n && to; c++) {
    const float z = (x[c] - s.mean) * s.factor, h = gradient[c] * scale[c],
                value = (h - mean_h - z * mean_hz) * s.factor;
    if (task->step->first[0])
      to[c] = value;
    else
      to[c] += value;
  }
}

static void layer_norm_backward(const train_task *task) {
  const size_t n = (size_t)task->step->out.channels, cells = cells_through(task);
  for (size_t i = 0; i < cells; i++) {
    float *to = NULL;
    if (task->in_gradient[0])
      to = task->in_gradient[0] + i * n;
    unnormalize(task, task->in[0] + i * n, task->out_gradient + i * n, to);
  }
}

const train_op train_op_layer_norm = {NEEDS_INPUTS | OVER_GRADIENT, layer_norm_forward,
                                      layer_norm_backward, NULL};

/* ---- dropout ---- */

static void dropout_forward(const train_task *task) {
  scale_rows(task->in[0], task->factors, 1, values_through(task), 0, task->out);
}

static void dropout_backward(const train_task *task) {
  if (task->in_gradient[0])
    chain_slopes(task->out_gradient, task->factors, values_through(task), task->step->first[0],
                 task->in_gradient[0]);
}

const train_op train_op_dropout = {OVER_INPUT | OVER_GRADIENT, dropout_forward, dropout_backward,
                                   NULL};
