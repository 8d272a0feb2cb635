/* depthwise.c - a convolution with one filter a channel, by output rows. Flow: forward ->
 * [depthwise] -> kernels. Thread: prepare and plan one, run any.
 *
 * The kernel wants rows that have zeros at both ends and reads past no border. So input rows are
 * copied, each once, into a ring of as many rows as the filter is high: row r is in slot r %
 * height, after `left` cells of zeros. One more row of zeros stands for rows outside the plane. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

static bool depthwise_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_CONV && node->groups > 1 && node->groups == node->channels &&
         node->weight->shape[2] == 1 && node->inputs[0] != GRAPH_INPUT;
}

static cam_code depthwise_prepare(const network *net, layer *l, cam_error *error) {
  int cells = l->node->kernel[0] * l->node->kernel[1], stride = cell_stride(net, l->channels);
  cam_code code = packed_alloc(net, l, (size_t)cells * (size_t)stride, error);
  for (int i = 0; i < cells && !code; i++)
    memcpy(l->weight + (size_t)i * (size_t)stride,
           l->node->weight->data + (size_t)i * (size_t)l->channels,
           (size_t)l->channels * sizeof(float));
  return code;
}

/* Floats of a row of the ring: what the filter sees on its way along an output row. */
static int ring_row(const step *s) {
  return ((s->out_width - 1) * s->l->node->stride[1] + s->l->node->kernel[1]) * s->out_stride;
}

static void depthwise_plan(const network *net, step *s, int threads) {
  (void)net;
  s->pieces[0] = pieces_by_rows(s, threads);
  s->scratch = (size_t)(s->l->node->kernel[0] + 1) * (size_t)ring_row(s);
}

static void depthwise_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  const cam_node *node = s->l->node;
  int height = node->kernel[0], channels = s->out_stride, row = ring_row(s), made = INT32_MIN;
  int copied = min_int(s->in_width, row / channels - s->left); /* cells that the filter sees */
  float *zero = scratch + (ptrdiff_t)height * row;
  const float *rows[NODE_MAX_KERNEL];
  const range out = part_of(s->out_height, piece, s->pieces[0]);
  memset(scratch, 0, s->scratch * sizeof *scratch);
  for (int y = out.begin; y < out.end; y++) {
    int top = y * node->stride[0] - s->top;
    for (int i = 0; i < height; i++) {
      int from = top + i;
      rows[i] = zero;
      if (from < 0 || from >= s->in_height)
        continue;
      float *slot = scratch + (ptrdiff_t)(from % height) * row;
      if (from > made) {
        memcpy(slot + (ptrdiff_t)s->left * channels,
               s->in[0] + (ptrdiff_t)from * s->in_width * channels,
               (size_t)copied * (size_t)channels * sizeof *slot);
        made = from;
      }
      rows[i] = slot;
    }
    net->k->depthwise(rows, height, node->kernel[1], node->stride[1], s->out_width, channels,
                      s->l->weight, s->l->bias, s->out + (ptrdiff_t)y * s->out_width * channels,
                      s->l->finish);
  }
}

const layer_type layer_depthwise = {
    .name = "depthwise",
    .finishes = true,
    .fits = depthwise_fits,
    .prepare = depthwise_prepare,
    .plan = depthwise_plan,
    .run = depthwise_run,
};
