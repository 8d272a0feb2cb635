/* train_depthwise.c - convolutions of one filter a channel.
 *
 * Idea. Forward and both adjoints are one sum: over a rectangle of cells of one array times one of
 * another, channel by channel.
 *   output cell             input cells under the kernel     x  the kernel's cells
 *   gradient of an input    output cells that it went into   x  the kernel's, every stride-th
 *   gradient of the kernel  input cells, every stride-th     x  output cells
 * So each is a `rectangle`, and `sum_rectangle` is the only loop over values. Channels go in
 * strips, whose sums stay in registers and whose filters in the first-level cache while a plane
 * passes. */
#include "base/clones.h"
#include "cam_minmax.h"
#include "train_op.h"

enum { LANES = 16, STRIP_VECTORS = 4, FEW_CELLS = 64 /* whose sum stays exact */ };

bool train_depthwise_takes(const cam_node *conv) {
  return conv->groups > 1 && conv->weight->shape[2] == 1 && conv->groups == conv->channels;
}

/* Cells to be multiplied: rows x columns of them, in both arrays from the first on, each step in
 * values. `repeats` sums follow one another, each with its a and its output a step further. */
typedef struct rectangle {
  int rows, columns, repeats;
  const float *a, *b;
  ptrdiff_t a_row, a_column, b_row, b_column, a_repeat, out_repeat;
} rectangle;

typedef float floats_lanes
    __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* to[vectors * LANES] = or += the sum of a * b. */
static inline __attribute__((always_inline)) void sum_vectors(const rectangle *r,
                                                              const float *a_first, int vectors,
                                                              bool add, float *out) {
  floats_lanes sums[STRIP_VECTORS] = {{0}};
  for (int i = 0; i < r->rows; i++) {
    const float *a = a_first + i * r->a_row, *b = r->b + i * r->b_row;
    for (int j = 0; j < r->columns; j++, a += r->a_column, b += r->b_column)
      for (int v = 0; v < vectors; v++)
        sums[v] += *(const floats_lanes *)(a + v * LANES) * *(const floats_lanes *)(b + v * LANES);
  }
  for (int v = 0; v < vectors; v++) {
    floats_lanes *to = (floats_lanes *)(out + v * LANES);
    if (add)
      *to += sums[v];
    else
      *to = sums[v];
  }
}

static inline __attribute__((always_inline)) void repeat_vectors(const rectangle *r, int vectors,
                                                                 bool add, float *out) {
  for (int k = 0; k < r->repeats; k++)
    sum_vectors(r, r->a + k * r->a_repeat, vectors, add, out + k * r->out_repeat);
}

/* One channel. */
static void sum_channel(const rectangle *r, int channel, bool add, float *out) {
  for (int k = 0; k < r->repeats; k++) {
    float sum = 0, *to = out + k * r->out_repeat + channel;
    for (int i = 0; i < r->rows; i++)
      for (int j = 0; j < r->columns; j++)
        sum += r->a[k * r->a_repeat + i * r->a_row + j * r->a_column + channel] *
               r->b[i * r->b_row + j * r->b_column + channel];
    if (add)
      sum += *to;
    *to = sum;
  }
}

/* out[n] = or += the sum over the rectangle of a * b, of n channels, which are a strip's at most.
 */
CLONES static void sum_rectangle(const rectangle *r, int n, bool add, float *out) {
  switch (n / LANES) {
  case 4:
    repeat_vectors(r, 4, add, out);
    break;
  case 3:
    repeat_vectors(r, 3, add, out);
    break;
  case 2:
    repeat_vectors(r, 2, add, out);
    break;
  case 1:
    repeat_vectors(r, 1, add, out);
    break;
  default:
    break;
  }
  for (int channel = n / LANES * LANES; channel < n; channel++)
    sum_channel(r, channel, add, out);
}

/* Channels of a strip: all strips but the last have as many. */
static int strip_channels(int channels) {
  for (int vectors = STRIP_VECTORS; vectors > 1; vectors--)
    if (channels % (vectors * LANES) == 0)
      return vectors * LANES;
  return STRIP_VECTORS * LANES;
}

/* ---- along one axis ---- */

/* `n` steps: of the source from `source` on, of the kernel from `kernel` on. */
typedef struct span {
  int n, source, kernel;
} span;

/* An output cell: the input cells under its kernel that are in the plane. */
static span span_under(const train_step *s, int axis, int out) {
  const int size[] = {s->in[0].height, s->in[0].width}, before[] = {s->top, s->left};
  const int from = out * s->node->stride[axis] - before[axis];
  span p = {0, max_int(from, 0), max_int(-from, 0)};
  p.n = min_int(s->node->kernel[axis] - p.kernel, size[axis] - p.source);
  return p;
}

/* An input cell: the output cells that it goes into, from the last back, and each one's cell of the
 * kernel, a stride apart. */
static span span_into(const train_step *s, int axis, int in) {
  const int size[] = {s->out.height, s->out.width}, before[] = {s->top, s->left};
  const int stride = s->node->stride[axis], at = in + before[axis];
  span p = {0, at / stride, at % stride};
  if (p.source >= size[axis]) {
    p.kernel += (p.source - size[axis] + 1) * stride;
    p.source = size[axis] - 1;
  }
  if (p.kernel < s->node->kernel[axis])
    p.n = min_int(p.source, (s->node->kernel[axis] - 1 - p.kernel) / stride) + 1;
  return p;
}

/* A cell of the kernel: the output cells from `begin` to `end` - 1 for which it is in the plane.
 * source: the first of them; kernel: its input cell. */
static span span_of_tap(const train_step *s, int axis, int tap, int begin, int end) {
  const int size[] = {s->in[0].height, s->in[0].width}, before[] = {s->top, s->left};
  const int stride = s->node->stride[axis], offset = tap - before[axis];
  span p = {0, max_int(begin, (max_int(-offset, 0) + stride - 1) / stride), 0};
  p.kernel = p.source * stride + offset;
  if (p.kernel < size[axis])
    p.n = max_int(0, min_int(end - p.source, (size[axis] - 1 - p.kernel) / stride + 1));
  return p;
}

/* ---- a strip of a sample ---- */

/* Pointers are to the strip's first channel. */
typedef struct strip {
  const train_step *s;
  const float *in, *weight, *gradient;
  float *out, *in_gradient, *weight_gradient;
  int n;
} strip;

/* Values from cell to cell, and from row to row of the kernel. */
static ptrdiff_t cell_step(const strip *t) { return t->s->out.channels; }
static ptrdiff_t kernel_step(const strip *t) { return t->s->node->kernel[1] * cell_step(t); }
static ptrdiff_t in_step(const strip *t) { return t->s->in[0].width * cell_step(t); }
static ptrdiff_t out_step(const strip *t) { return t->s->out.width * cell_step(t); }

/* Cells of a row, from [0] to [1] - 1, whose spans along x are all of one shape, each a step
 * further than the one before. */
typedef struct middle {
  int begin, end;
} middle;

/* Output cells whose kernel is inside the plane. */
static middle middle_under(const train_step *s) {
  const int stride = s->node->stride[1], last = s->in[0].width - s->node->kernel[1] + s->left;
  middle m = {(s->left + stride - 1) / stride, 0};
  if (last >= 0)
    m.end = min_int(last / stride + 1, s->out.width);
  return m;
}

/* Input cells that every cell of the kernel has seen; with a stride, neighbours differ. */
static middle middle_into(const train_step *s) {
  if (s->node->stride[1] > 1)
    return (middle){0, 0};
  return (middle){max_int(0, s->node->kernel[1] - 1 - s->left),
                  min_int(s->in[0].width, s->out.width - s->left)};
}

static int repeats_at(middle m, int x) {
  if (x >= m.begin && x < m.end)
    return m.end - x;
  return 1;
}

static void strip_forward(const strip *t, int y) {
  const ptrdiff_t cell = cell_step(t);
  const train_step *s = t->s;
  const middle whole = middle_under(s);
  const span v = span_under(s, 0, y);
  for (int x = 0, n; x < s->out.width; x += n) {
    const span h = span_under(s, 1, x);
    n = repeats_at(whole, x);
    const rectangle r = {.rows = v.n,
                         .columns = h.n,
                         .repeats = n,
                         .a = t->in + v.source * in_step(t) + h.source * cell,
                         .b = t->weight + v.kernel * kernel_step(t) + h.kernel * cell,
                         .a_row = in_step(t),
                         .a_column = cell,
                         .b_row = kernel_step(t),
                         .b_column = cell,
                         .a_repeat = s->node->stride[1] * cell,
                         .out_repeat = cell};
    sum_rectangle(&r, t->n, false, t->out + y * out_step(t) + x * cell);
  }
}

/* Of input row y. */
static void strip_into_input(const strip *t, int y) {
  const ptrdiff_t cell = cell_step(t);
  const train_step *s = t->s;
  const middle whole = middle_into(s);
  const span v = span_into(s, 0, y);
  for (int x = 0, n; x < s->in[0].width; x += n) {
    const span h = span_into(s, 1, x);
    n = repeats_at(whole, x);
    const rectangle r = {.rows = v.n,
                         .columns = h.n,
                         .repeats = n,
                         .a = t->gradient + v.source * out_step(t) + h.source * cell,
                         .b = t->weight + v.kernel * kernel_step(t) + h.kernel * cell,
                         .a_row = -out_step(t),
                         .a_column = -cell,
                         .b_row = s->node->stride[0] * kernel_step(t),
                         .b_column = s->node->stride[1] * cell,
                         .a_repeat = cell,
                         .out_repeat = cell};
    sum_rectangle(&r, t->n, !s->first[0], t->in_gradient + y * in_step(t) + x * cell);
  }
}

/* Of output rows `begin` to `end` - 1. */
static void strip_into_kernel(const strip *t, int begin, int end) {
  const ptrdiff_t cell = cell_step(t);
  const cam_node *node = t->s->node;
  for (int i = 0; i < node->kernel[0]; i++)
    for (int j = 0; j < node->kernel[1]; j++) {
      const span v = span_of_tap(t->s, 0, i, begin, end),
                 h = span_of_tap(t->s, 1, j, 0, t->s->out.width);
      const rectangle r = {.rows = v.n,
                           .columns = h.n,
                           .repeats = 1,
                           .a = t->in + v.kernel * in_step(t) + h.kernel * cell,
                           .b = t->gradient + v.source * out_step(t) + h.source * cell,
                           .a_row = node->stride[0] * in_step(t),
                           .a_column = node->stride[1] * cell,
                           .b_row = out_step(t),
                           .b_column = cell};
      sum_rectangle(&r, t->n, true, t->weight_gradient + i * kernel_step(t) + j * cell);
    }
}

/* ---- the operator ---- */

/* The strip of sample k from channel `first` on. */
static strip strip_of(const train_task *task, int k, int first) {
  const train_step *s = task->step;
  const size_t in = (size_t)k * train_values(&s->in[0]) + (size_t)first,
               out = (size_t)k * train_values(&s->out) + (size_t)first;
  strip t = {.s = s,
             .in = task->in[0] + in,
             .weight = task->tensor[SLOT_WEIGHT] + first,
             .out = task->out + out,
             .n = min_int(strip_channels(s->out.channels), s->out.channels - first)};
  if (task->out_gradient) {
    t.gradient = task->out_gradient + out;
    t.weight_gradient = task->tensor_gradient[SLOT_WEIGHT] + first;
  }
  if (task->in_gradient[0])
    t.in_gradient = task->in_gradient[0] + in;
  return t;
}

/* Rows outside, strips inside: a plane comes from memory once. */
static void depthwise_forward(const train_task *task) {
  const train_step *s = task->step;
  const int channels = s->out.channels, step = strip_channels(channels);
  for (int k = 0; k < task->n; k++)
    for (int y = 0; y < s->out.height; y++) {
      const size_t row = ((size_t)k * train_cells(&s->out) + (size_t)y * (size_t)s->out.width) *
                         (size_t)channels;
      for (int first = 0; first < channels; first += step) {
        const strip t = strip_of(task, k, first);
        strip_forward(&t, y);
      }
      train_finish_rows(s->finish, task->tensor[SLOT_BIAS], task->out + row, (size_t)s->out.width,
                        channels);
    }
}

/* The gradient of rows `begin` to `end` - 1 of sample k, before `finish`. */
static void unfinish_plane_rows(const train_task *task, int k, int begin, int end) {
  const train_step *s = task->step;
  const size_t row = ((size_t)k * train_cells(&s->out) + (size_t)begin * (size_t)s->out.width) *
                     (size_t)s->out.channels;
  train_unfinish_rows(s->finish, task->out + row, task->out_gradient + row,
                      (size_t)(end - begin) * (size_t)s->out.width, s->out.channels,
                      task->tensor_gradient[SLOT_BIAS]);
}

/* Output rows `begin` to `end` - 1 into the kernel, and as large a part of the input's rows. */
static void depthwise_rows_back(const train_task *task, int k, int begin, int end) {
  const train_step *s = task->step;
  const int channels = s->out.channels, in = s->in[0].height, out = s->out.height;
  const int in_begin = (int)((int64_t)in * begin / out), in_end = (int)((int64_t)in * end / out);
  for (int first = 0; first < channels; first += strip_channels(channels)) {
    const strip t = strip_of(task, k, first);
    strip_into_kernel(&t, begin, end);
    for (int y = in_begin; y < in_end && t.in_gradient; y++)
      strip_into_input(&t, y);
  }
}

static void depthwise_backward(const train_task *task) {
  const train_step *s = task->step;
  const int out = s->out.height, rows = max_int(1, FEW_CELLS / s->out.width);
  for (int k = 0; k < task->n; k++)
    for (int y = 0, ready = 0; y < out; y += rows) {
      const int end = min_int(y + rows, out), /* what the input's rows may need, too */
          needed = min_int(end + s->node->kernel[0], out);
      unfinish_plane_rows(task, k, ready, needed);
      ready = needed;
      depthwise_rows_back(task, k, y, end);
    }
}

const train_op train_op_depthwise = {NEEDS_INPUTS | TAKES_FINISH, depthwise_forward,
                                     depthwise_backward, NULL};
