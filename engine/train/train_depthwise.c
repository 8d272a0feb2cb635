/* train_depthwise.c - convolutions of one filter a channel. Channels go in strips, so that a
 * strip's filters and their gradient stay in the first-level cache while its plane passes. */
#include "base/clones.h"
#include "cam_minmax.h"
#include "train_op.h"
#include <string.h>

enum { STRIP = 64 /* channels */ };

bool train_depthwise_takes(const cam_node *conv) {
  return conv->groups > 1 && conv->weight->shape[2] == 1 && conv->groups == conv->channels;
}

/* What of the kernel is in the plane at an output cell: rows and columns of the kernel from [0] to
 * [1] - 1; the plane's cell under [0]. */
typedef struct under {
  int y[2], x[2];
  size_t at;
} under;

static inline under under_kernel(const train_step *s, int y, int x) {
  const cam_node *node = s->node;
  const int top = y * node->stride[0] - s->top, left = x * node->stride[1] - s->left;
  under u = {{max_int(0, -top), min_int(node->kernel[0], s->in[0].height - top)},
             {max_int(0, -left), min_int(node->kernel[1], s->in[0].width - left)},
             0};
  u.at = (size_t)(top + u.y[0]) * (size_t)s->in[0].width + (size_t)(left + u.x[0]);
  return u;
}

/* `n` channels from `first` on, of one sample. */
CLONES static void strip_forward(const train_step *s, const float *in, const float *weight,
                                 int first, int n, float *out) {
  const size_t channels = (size_t)s->out.channels;
  for (int y = 0; y < s->out.height; y++)
    for (int x = 0; x < s->out.width; x++) {
      const under u = under_kernel(s, y, x);
      float sum[STRIP] = {0};
      for (int i = u.y[0]; i < u.y[1]; i++)
        for (int j = u.x[0]; j < u.x[1]; j++) {
          const size_t cell = u.at + (size_t)(i - u.y[0]) * (size_t)s->in[0].width +
                              (size_t)(j - u.x[0]);
          const float *a = in + cell * channels + first,
                      *w = weight + (size_t)(i * s->node->kernel[1] + j) * channels + first;
          for (int c = 0; c < n; c++)
            sum[c] += a[c] * w[c];
        }
      memcpy(out + ((size_t)y * (size_t)s->out.width + (size_t)x) * channels + first, sum,
             (size_t)n * sizeof *sum);
    }
}

static void depthwise_forward(const train_task *task) {
  const train_step *s = task->step;
  const int channels = s->out.channels;
  for (int k = 0; k < task->n; k++) {
    float *out = task->out + (size_t)k * train_values(&s->out);
    for (int first = 0; first < channels; first += STRIP)
      strip_forward(s, task->in[0] + (size_t)k * train_values(&s->in[0]), task->tensor[SLOT_WEIGHT],
                    first, min_int(STRIP, channels - first), out);
    train_finish_rows(s->finish, task->tensor[SLOT_BIAS], out, train_cells(&s->out), channels);
  }
}

/* A cell under the kernel: the gradient of its values and of the weights, both added to. */
static inline void cell_back(const float *in, const float *weight, const float *gradient, int n,
                             float *in_gradient, float *weight_gradient) {
  for (int c = 0; c < n; c++) {
    in_gradient[c] += gradient[c] * weight[c];
    weight_gradient[c] += gradient[c] * in[c];
  }
}

static inline void weight_back(const float *in, const float *gradient, int n,
                               float *weight_gradient) {
  for (int c = 0; c < n; c++)
    weight_gradient[c] += gradient[c] * in[c];
}

/* One strip of a sample; in_gradient NULL: not wanted. */
typedef struct strip {
  const train_step *s;
  const float *in, *gradient, *weight;
  float *in_gradient, *weight_gradient;
  int first, n;
} strip;

CLONES static void strip_backward(const strip *t) {
  const train_step *s = t->s;
  const size_t channels = (size_t)s->out.channels;
  for (int y = 0; y < s->out.height; y++)
    for (int x = 0; x < s->out.width; x++) {
      const under u = under_kernel(s, y, x);
      const float *gradient = t->gradient +
                              ((size_t)y * (size_t)s->out.width + (size_t)x) * channels + t->first;
      for (int i = u.y[0]; i < u.y[1]; i++)
        for (int j = u.x[0]; j < u.x[1]; j++) {
          const size_t cell = u.at + (size_t)(i - u.y[0]) * (size_t)s->in[0].width +
                              (size_t)(j - u.x[0]),
                       at = cell * channels + (size_t)t->first,
                       w = (size_t)(i * s->node->kernel[1] + j) * channels + (size_t)t->first;
          if (t->in_gradient)
            cell_back(t->in + at, t->weight + w, gradient, t->n, t->in_gradient + at,
                      t->weight_gradient + w);
          else
            weight_back(t->in + at, gradient, t->n, t->weight_gradient + w);
        }
    }
}

static void depthwise_backward(const train_task *task) {
  const train_step *s = task->step;
  const int channels = s->out.channels;
  const size_t in = train_values(&s->in[0]), out = train_values(&s->out);
  for (int k = 0; k < task->n; k++) {
    strip t = {s,
               task->in[0] + (size_t)k * in,
               task->out_gradient + (size_t)k * out,
               task->tensor[SLOT_WEIGHT],
               NULL,
               task->tensor_gradient[SLOT_WEIGHT],
               0,
               0};
    train_unfinish_rows(s->finish, task->out + (size_t)k * out,
                        task->out_gradient + (size_t)k * out, train_cells(&s->out), channels,
                        task->tensor_gradient[SLOT_BIAS]);
    if (task->in_gradient[0]) {
      t.in_gradient = task->in_gradient[0] + (size_t)k * in;
      if (s->first[0])
        memset(t.in_gradient, 0, in * sizeof *t.in_gradient);
    }
    for (; t.first < channels; t.first += STRIP) {
      t.n = min_int(STRIP, channels - t.first);
      strip_backward(&t);
    }
  }
}

const train_op train_op_depthwise = {NEEDS_INPUTS | TAKES_FINISH, depthwise_forward,
                                     depthwise_backward, NULL};
