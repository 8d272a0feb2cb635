/* train_planes.c - operators that look at windows or move cells: pools, gap, flatten, slice,
 * shuffle, resize, concat. Adjoints add to the gradient of the input, which they first set to 0
 * where nobody has written it yet. */
#include "base/clones.h"
#include "cam_minmax.h"
#include "train_op.h"
#include <string.h>

static float *input_gradient(const train_task *task, int k) {
  const size_t n = (size_t)task->n * train_values(&task->step->in[k]);
  if (task->in_gradient[k] && task->step->first[k])
    memset(task->in_gradient[k], 0, n * sizeof(float));
  return task->in_gradient[k];
}

/* ---- pools ---- */

/* What of a window is in the plane: cells from [0] to [1] - 1, and how many count. */
typedef struct pane {
  int y[2], x[2], count;
} pane;

/* How many of the n from `from` on are before `end`, and 0 or later. */
static void clip_span(int from, int n, int end, int span[2]) {
  span[0] = max_int(from, 0);
  span[1] = min_int(from + n, end);
}

static pane pane_at(const train_step *s, int y, int x) {
  const cam_node *node = s->node;
  const int top = y * node->stride[0] - s->top, left = x * node->stride[1] - s->left;
  pane p;
  clip_span(top, node->kernel[0], s->in[0].height, p.y);
  clip_span(left, node->kernel[1], s->in[0].width, p.x);
  p.count = (p.y[1] - p.y[0]) * (p.x[1] - p.x[0]);
  if (!node->count_include_pad)
    return p;
  p.count = node->kernel[0] * node->kernel[1];
  if (node->padding == PAD_EXPLICIT) /* a window of ceil_mode may reach past the padding */
    p.count = (min_int(top + node->kernel[0], s->in[0].height + node->pads[2]) - top) *
              (min_int(left + node->kernel[1], s->in[0].width + node->pads[3]) - left);
  return p;
}

CLONES static void larger_of(const float *in, float *out, int n) {
  for (int c = 0; c < n; c++)
    out[c] = max_float(out[c], in[c]);
}

CLONES static void add_scaled(const float *in, float factor, float *out, int n) {
  for (int c = 0; c < n; c++)
    out[c] += in[c] * factor;
}

/* One window's cells, each handed to the one function that is given. */
static void pool_window(const train_step *s, const float *in, float *out, int y, int x) {
  const pane p = pane_at(s, y, x);
  const int n = s->out.channels;
  const bool is_max = s->node->op == OP_MAX_POOL;
  if (is_max)
    memcpy(out, in + (size_t)(p.y[0] * s->in[0].width + p.x[0]) * (size_t)n,
           (size_t)n * sizeof *out);
  else
    memset(out, 0, (size_t)n * sizeof *out);
  for (int i = p.y[0]; i < p.y[1]; i++)
    for (int j = p.x[0]; j < p.x[1]; j++) {
      const float *cell = in + (size_t)(i * s->in[0].width + j) * (size_t)n;
      if (is_max)
        larger_of(cell, out, n);
      else
        add_scaled(cell, 1.0F / (float)p.count, out, n);
    }
}

static void pool_forward(const train_task *task) {
  const train_step *s = task->step;
  float *out = task->out;
  for (int k = 0; k < task->n; k++)
    for (int y = 0; y < s->out.height; y++)
      for (int x = 0; x < s->out.width; x++, out += s->out.channels)
        pool_window(s, task->in[0] + (size_t)k * train_values(&s->in[0]), out, y, x);
}

/* left[c]: what of the output's gradient no cell has taken yet. The first that is the largest takes
 * it. */
CLONES static void take_where_largest(const float *in, const float *out, float *left, float *to,
                                      int n) {
  for (int c = 0; c < n; c++) {
    const float taken = in[c] == out[c] ? left[c] : 0;
    to[c] += taken;
    left[c] -= taken;
  }
}

static void unpool_window(const train_step *s, const float *in, const float *out, float *gradient,
                          float *to, int y, int x) {
  const pane p = pane_at(s, y, x);
  const int n = s->out.channels;
  for (int i = p.y[0]; i < p.y[1]; i++)
    for (int j = p.x[0]; j < p.x[1]; j++) {
      const size_t at = (size_t)(i * s->in[0].width + j) * (size_t)n;
      if (s->node->op == OP_MAX_POOL)
        take_where_largest(in + at, out, gradient, to + at, n);
      else
        add_scaled(gradient, 1.0F / (float)p.count, to + at, n);
    }
}

static void pool_backward(const train_task *task) {
  const train_step *s = task->step;
  const float *out = task->out;
  float *gradient = task->out_gradient, *to = input_gradient(task, 0);
  for (int k = 0; k < task->n && to; k++)
    for (int y = 0; y < s->out.height; y++)
      for (int x = 0; x < s->out.width; x++) {
        const size_t sample = (size_t)k * train_values(&s->in[0]);
        unpool_window(s, task->in[0] + sample, out, gradient, to + sample, y, x);
        out += s->out.channels;
        gradient += s->out.channels;
      }
}

const train_op train_op_max_pool = {NEEDS_INPUTS | NEEDS_OUTPUT, pool_forward, pool_backward, NULL};
const train_op train_op_avg_pool = {0, pool_forward, pool_backward, NULL};

/* ---- mean ---- */

static void gap_forward(const train_task *task) {
  const int n = task->step->out.channels, cells = (int)train_cells(&task->step->in[0]);
  const float *in = task->in[0];
  float *out = task->out;
  for (int k = 0; k < task->n; k++, out += n) {
    memset(out, 0, (size_t)n * sizeof *out);
    for (int i = 0; i < cells; i++, in += n)
      add_scaled(in, 1.0F / (float)cells, out, n);
  }
}

static void gap_backward(const train_task *task) {
  const int n = task->step->out.channels, cells = (int)train_cells(&task->step->in[0]);
  const float *gradient = task->out_gradient;
  float *to = input_gradient(task, 0);
  for (int k = 0; k < task->n && to; k++, gradient += n)
    for (int i = 0; i < cells; i++, to += n)
      add_scaled(gradient, 1.0F / (float)cells, to, n);
}

const train_op train_op_gap = {0, gap_forward, gap_backward, NULL};

/* ---- moves ---- */

static void flatten_forward(const train_task *task) {
  const size_t n = (size_t)task->n * train_values(&task->step->out);
  if (task->out != task->in[0])
    memcpy(task->out, task->in[0], n * sizeof *task->out);
}

static void flatten_backward(const train_task *task) {
  const size_t n = (size_t)task->n * train_values(&task->step->out);
  if (!task->in_gradient[0] || task->in_gradient[0] == task->out_gradient)
    return;
  float *to = input_gradient(task, 0);
  for (size_t i = 0; i < n; i++)
    to[i] += task->out_gradient[i];
}

const train_op train_op_flatten = {OVER_INPUT | OVER_GRADIENT, flatten_forward, flatten_backward,
                                   NULL};

/* Which channel of the input channel c of the output is. */
static int moved_channel(const train_step *s, int c) {
  switch (s->node->op) {
  case OP_SLICE:
    return s->node->begin + c;
  case OP_SHUFFLE: /* [groups, channels of a group] transposed */
    return c % s->node->groups * (s->in[0].channels / s->node->groups) + c / s->node->groups;
  default:
    return c;
  }
}

/* Where the input's cell for an output's is, in values from the first of n samples. */
static size_t moved_cell(const train_step *s, int sample, int y, int x) {
  const cam_node *node = s->node;
  const size_t cell = (size_t)(y / node->factor[0]) * (size_t)s->in[0].width +
                      (size_t)(x / node->factor[1]);
  return ((size_t)sample * train_cells(&s->in[0]) + cell) * (size_t)s->in[0].channels;
}

static void moves_forward(const train_task *task) {
  const train_step *s = task->step;
  float *out = task->out;
  for (int k = 0; k < task->n; k++)
    for (int y = 0; y < s->out.height; y++)
      for (int x = 0; x < s->out.width; x++, out += s->out.channels) {
        const float *in = task->in[0] + moved_cell(s, k, y, x);
        for (int c = 0; c < s->out.channels; c++)
          out[c] = in[moved_channel(s, c)];
      }
}

static void moves_backward(const train_task *task) {
  const train_step *s = task->step;
  const float *gradient = task->out_gradient;
  float *all = input_gradient(task, 0);
  for (int k = 0; k < task->n && all; k++)
    for (int y = 0; y < s->out.height; y++)
      for (int x = 0; x < s->out.width; x++, gradient += s->out.channels) {
        float *to = all + moved_cell(s, k, y, x);
        for (int c = 0; c < s->out.channels; c++)
          to[moved_channel(s, c)] += gradient[c];
      }
}

const train_op train_op_moves = {0, moves_forward, moves_backward, NULL};

static void concat_forward(const train_task *task) {
  const train_step *s = task->step;
  const size_t cells = (size_t)task->n * train_cells(&s->out);
  size_t first = 0;
  for (int k = 0; k < s->n_inputs; first += (size_t)s->in[k].channels, k++) {
    const size_t n = (size_t)s->in[k].channels;
    for (size_t i = 0; i < cells; i++)
      memcpy(task->out + i * (size_t)s->out.channels + first, task->in[k] + i * n,
             n * sizeof(float));
  }
}

static void concat_backward(const train_task *task) {
  const train_step *s = task->step;
  const size_t cells = (size_t)task->n * train_cells(&s->out);
  size_t first = 0;
  for (int k = 0; k < s->n_inputs; first += (size_t)s->in[k].channels, k++) {
    const int n = s->in[k].channels;
    float *to = input_gradient(task, k);
    for (size_t i = 0; i < cells && to; i++)
      add_scaled(task->out_gradient + i * (size_t)s->out.channels + first, 1, to + i * (size_t)n,
                 n);
  }
}

const train_op train_op_concat = {0, concat_forward, concat_backward, NULL};
