/* depthwise_int8.c - a convolution in integers with one filter a channel, by output rows. Flow:
 * forward -> [depthwise_int8] -> kernels_int8. Thread: prepare and plan one, run any.
 *
 * Input rows are laid out for the kernel (kernels_int8.lay), each once, into a ring; one more row,
 * of the zero point, stands for rows outside the plane. A few output rows are made at a time. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

enum { ROWS_AT_A_TIME = 4, MOST_ROWS = 64 + (ROWS_AT_A_TIME - 1) * 64, READ_AHEAD = 64 };

static bool depthwise_int8_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_CONV && node->groups > 1 && node->groups == node->channels &&
         node->weight->shape[2] == 1 && node->inputs[0] != GRAPH_INPUT;
}

depthwise_shape int8_filter_shape(const cam_node *node, int left) {
  return (depthwise_shape){.height = node->kernel[0],
                           .breadth = node->kernel[1],
                           .down = node->stride[0],
                           .stride = node->stride[1],
                           .left = left};
}

/* With padding "same" the cells of padding on the left depend on the plane's width, and packed
 * filters on those modulo 4: the least there can be, and how many packed filters that takes. */
static int least_left(const cam_node *node) {
  if (node->padding == PAD_SAME)
    return max_int(0, node->kernel[1] - node->stride[1]) / 2;
  return node->pads[1];
}
static int packed_filters(const cam_node *node) {
  if (node->padding == PAD_SAME)
    return min_int(4, (node->kernel[1] - 1) / 2 - least_left(node) + 1);
  return 1;
}

/* Bytes from one packed filter to the next. */
static size_t filter_step(const network *net, const cam_node *node, int channels) {
  size_t most = 0;
  for (int i = 0; i < packed_filters(node); i++) {
    const depthwise_shape shape = int8_filter_shape(node, least_left(node) + i);
    most = max_size(most, net->k8->filter_bytes(&shape, channels));
  }
  return (most + 63) / 64 * 64;
}

const void *int8_filter_for(const network *net, const layer *l, int left) {
  const size_t at = (size_t)((left - least_left(l->node)) % 4);
  const size_t step_bytes = filter_step(net, l->node, level_stride(l->channels));
  return (const uint8_t *)l->int8->weight + at * step_bytes;
}

int int8_filter_zero(const network *net, const layer *l) {
  return net->graph->nodes[l->node->inputs[0]].quantum.zero_point;
}

static cam_code depthwise_int8_prepare(const network *net, layer *l, cam_error *error) {
  const cam_node *node = l->node;
  const int channels = level_stride(l->channels);
  const size_t bytes = filter_step(net, node, channels);
  cam_code code = prepare_int8(net, l, error);
  if (!code)
    code = packed_int8(net, l, (size_t)packed_filters(node) * bytes, error);
  for (int i = 0; i < packed_filters(node) && !code; i++) {
    const depthwise_shape shape = int8_filter_shape(node, least_left(node) + i);
    net->k8->pack_filter(&shape, node->weight->bytes, l->channels, l->channels, channels,
                         (uint8_t *)l->int8->weight + (size_t)i * bytes);
  }
  return code;
}

/* The ring of a step. */
typedef struct level_ring {
  depthwise_shape shape;
  int cells, slots; /* of a row; rows, without that of the zero point */
  size_t row;       /* bytes */
} level_ring;

static level_ring ring_of(const network *net, const step *s) {
  const cam_node *node = s->l->node;
  level_ring r = {.shape = int8_filter_shape(node, s->left),
                  .slots = (ROWS_AT_A_TIME - 1) * node->stride[0] + node->kernel[0]};
  r.cells = net->k8->laid_cells(&r.shape, s->out_width);
  r.row = (size_t)r.cells * (size_t)s->out_stride;
  return r;
}

static void depthwise_int8_plan(const network *net, step *s, int threads) {
  const level_ring r = ring_of(net, s);
  s->pieces[0] = pieces_by_rows(s, threads);
  s->scratch = ((size_t)(r.slots + 1) * r.row + READ_AHEAD) / sizeof(float) + 1;
}

/* Row `from` of the plane, or one of zero points, into a slot. */
static void lay_plane_row(const network *net, const step *s, const level_ring *r, int from,
                          uint8_t *to) {
  const int zero = int8_filter_zero(net, s->l);
  const uint8_t *row = s->in8[0];
  int cells = 0;
  if (from >= 0 && from < s->in_height) {
    cells = s->in_width;
    row += (ptrdiff_t)from * s->in_width * s->out_stride;
  }
  net->k8->lay(&r->shape, row, cells, r->cells, s->out_stride, zero, to);
}

/* Output rows y..y+n-1; *made: the last input row that is in the ring. */
static void filter_rows(const network *net, const step *s, const level_ring *r, int y, int n,
                        int *made, uint8_t *ring) {
  const cam_node *node = s->l->node;
  const uint8_t *rows[MOST_ROWS];
  const int top = y * node->stride[0] - s->top, seen = (n - 1) * node->stride[0] + node->kernel[0];
  for (int i = 0; i < seen; i++) {
    const int from = top + i;
    rows[i] = ring + (size_t)r->slots * r->row;
    if (from < 0 || from >= s->in_height)
      continue;
    uint8_t *slot = ring + (size_t)(from % r->slots) * r->row;
    if (from > *made)
      lay_plane_row(net, s, r, from, slot);
    *made = max_int(*made, from);
    rows[i] = slot;
  }
  const ptrdiff_t out_row = (ptrdiff_t)s->out_width * s->out_stride;
  net->k8->depthwise(&r->shape, rows, n, s->out_width, r->cells, s->out_stride,
                     int8_filter_for(net, s->l, s->left), &s->l->int8->q, s->out8 + y * out_row,
                     out_row);
}

static void depthwise_int8_run(const network *net, const step *s, int phase, int piece,
                               float *scratch) {
  const level_ring r = ring_of(net, s);
  const range out = part_of(s->out_height, piece, s->pieces[0]);
  uint8_t *ring = (uint8_t *)scratch;
  int made = INT32_MIN;
  (void)phase;
  lay_plane_row(net, s, &r, -1, ring + (size_t)r.slots * r.row);
  for (int y = out.begin; y < out.end; y += ROWS_AT_A_TIME)
    filter_rows(net, s, &r, y, min_int(ROWS_AT_A_TIME, out.end - y), &made, ring);
}

const layer_type layer_depthwise_int8 = {
    .name = "depthwise8",
    .fits = depthwise_int8_fits,
    .prepare = depthwise_int8_prepare,
    .plan = depthwise_int8_plan,
    .run = depthwise_int8_run,
};
