/* block.c - an inverted residual block (Sandler et al., MobileNetV2, CVPR 2018) as one layer:
 * [expand 1x1 ->] depthwise [-> project 1x1 (+ residual)], two of the three at least. (Squeeze and
 * excite stands before the projection and needs the whole plane: such a block ends before.) Flow:
 * forward -> [block] -> kernels. Thread: prepare and plan one, run any.
 *
 * Idea. On large planes the expanded planes would stream through memory. Here a band of a few
 * output rows goes all the way while it is in the second-level cache: the input rows that it needs
 * are expanded (or copied), filtered, and projected to the output.
 *
 * Layout of a piece's scratch:
 *   ring      [slots, ring_row] of expanded rows; row r is in slot r % slots, after `left` cells
 *             of zeros;
 *   zeros     [ring_row], for rows outside the plane;
 *   filtered  [rows of a band, out_width, channels], where the block projects.
 *
 * Invariant. Before a band is filtered, its `slots` input rows are in the ring: a band of `rows`
 * output rows sees just that many. Pieces are ranges of output rows with a ring each, so that rows
 * which two pieces need are expanded twice, to the same values. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

enum { BAND_BYTES = 256 << 10 /* ring and filtered rows of a band together */ };

static bool expands(const layer *l) { return l->parts[0].type != &layer_depthwise; }

/* NULL: the block does not expand, or project. */
static const layer *expand_of(const layer *l) {
  if (expands(l))
    return &l->parts[0];
  return NULL;
}
static const layer *depthwise_of(const layer *l) { return &l->parts[expands(l)]; }
static const layer *project_of(const layer *l) {
  if (depthwise_of(l) == &l->parts[l->n_parts - 1])
    return NULL;
  return &l->parts[l->n_parts - 1];
}

/* Geometry of the depthwise part: its input has the step's input size (both 1x1 parts keep it), its
 * output the step's. */
typedef struct band_shape {
  int channels, ring_row; /* of the ring: channels with padding, floats of a row */
  int rows, slots;        /* output rows of a band; rows of the ring */
  int top, left;
} band_shape;

static band_shape shape_of(const network *net, const step *s) {
  const cam_node *node = depthwise_of(s->l)->node;
  band_shape b = {.channels = cell_stride(net, node->channels)};
  int unused;
  b.top = node_padding(node, 0, s->in_height, &unused);
  b.left = node_padding(node, 1, s->in_width, &unused);
  b.ring_row = ((s->out_width - 1) * node->stride[1] + node->kernel[1]) * b.channels;
  int64_t fixed = (int64_t)(node->kernel[0] - node->stride[0]) *
                  b.ring_row; /* a row has up to 2^28 floats, as a plane */
  int64_t per_row = (int64_t)node->stride[0] * b.ring_row + (int64_t)s->out_width * b.channels;
  int64_t fit = ((int64_t)(BAND_BYTES / sizeof(float)) - fixed) / per_row;
  b.rows = (int)max_int64(1, min_int64(fit, s->out_height));
  b.slots = (b.rows - 1) * node->stride[0] + node->kernel[0];
  return b;
}

static cam_code block_prepare(const network *net, layer *l, cam_error *error) {
  cam_code code = CAM_OK;
  for (int i = 0; i < l->n_parts && !code; i++)
    code = l->parts[i].type->prepare(net, &l->parts[i], error);
  return code;
}

static void block_plan(const network *net, step *s, int threads) {
  band_shape b = shape_of(net, s);
  int pieces = threads;
  if (threads > 1 && s->out_height >= 16 * threads)
    pieces = 2 * threads;
  s->pieces[0] = min_int(s->out_height, pieces);
  s->scratch = (size_t)(b.slots + 1) * (size_t)b.ring_row;
  if (project_of(s->l))
    s->scratch += (size_t)b.rows * (size_t)s->out_width * (size_t)b.channels;
}

/* n rows of a plain 1x1 part; residual may be NULL. */
static void multiply_rows(const network *net, const layer *l, int n, const float *a, int a_stride,
                          const float *residual, float *out, int out_stride) {
  int columns = cell_stride(net, l->channels), panel = panel_width(net);
  for (int first = 0; first < columns; first += panel) {
    net->k->product(n, 1, l->depth, a, a_stride, 0, l->weight + (size_t)first * (size_t)l->depth,
                    min_int(panel, columns - first), l->bias + first, residual, out_stride,
                    out + first, out_stride, l->finish);
    if (residual)
      residual += panel;
  }
}

/* Input rows from `made` on, up to what output row `last` sees, into the ring. Returns the first
 * row that is not there. */
static int fill_ring(const network *net, const step *s, const band_shape *b, int made, int last,
                     float *ring) {
  const layer *expand = expand_of(s->l);
  const cam_node *node = depthwise_of(s->l)->node;
  int end = min_int(s->in_height, last * node->stride[0] - b->top + node->kernel[0]);
  int cells = min_int(s->in_width, b->ring_row / b->channels - b->left); /* that the filter sees */
  for (; made < end; made++) {
    const float *from = s->in[0] + (ptrdiff_t)made * s->in_width * s->in_strides[0];
    float *to = ring + (ptrdiff_t)(made % b->slots) * b->ring_row +
                (ptrdiff_t)b->left * b->channels;
    if (expand)
      multiply_rows(net, expand, cells, from, s->in_strides[0], NULL, to, b->channels);
    else
      memcpy(to, from, (size_t)cells * (size_t)b->channels * sizeof *to);
  }
  return made;
}

/* Output row y of the depthwise part. */
static void filter_row(const network *net, const step *s, const band_shape *b, int y,
                       const float *ring, float *out) {
  const layer *depthwise = depthwise_of(s->l);
  const cam_node *node = depthwise->node;
  const float *rows[NODE_MAX_KERNEL];
  for (int i = 0; i < node->kernel[0]; i++) {
    int row = y * node->stride[0] - b->top + i, slot = b->slots; /* the row of zeros */
    if (row >= 0 && row < s->in_height)
      slot = row % b->slots;
    rows[i] = ring + (ptrdiff_t)slot * b->ring_row;
  }
  net->k->depthwise(rows, node->kernel[0], node->kernel[1], node->stride[1], s->out_width,
                    b->channels, depthwise->weight, depthwise->bias, out, depthwise->finish);
}

static void block_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  const band_shape b = shape_of(net, s);
  const range out = part_of(s->out_height, piece, s->pieces[0]);
  int made = max_int(0, out.begin * depthwise_of(s->l)->node->stride[0] - b.top);
  const layer *project = project_of(s->l);
  float *ring = scratch, *filtered = ring + (ptrdiff_t)(b.slots + 1) * b.ring_row;
  memset(ring, 0, (size_t)(b.slots + 1) * (size_t)b.ring_row * sizeof *ring);
  for (int first = out.begin; first < out.end; first += b.rows) {
    int end = min_int(out.end, first + b.rows);
    made = fill_ring(net, s, &b, made, end - 1, ring);
    if (!project)
      filtered = s->out + (ptrdiff_t)first * s->out_width * s->out_stride;
    for (int y = first; y < end; y++)
      filter_row(net, s, &b, y, ring,
                 filtered + (ptrdiff_t)(y - first) * s->out_width * b.channels);
    if (!project)
      continue;
    ptrdiff_t at = (ptrdiff_t)first * s->out_width * s->out_stride;
    const float *residual = NULL;
    if (s->residual)
      residual = s->residual + at;
    multiply_rows(net, project, (end - first) * s->out_width, filtered, b.channels, residual,
                  s->out + at, s->out_stride);
  }
}

const layer_type layer_block = {
    .name = "block",
    .prepare = block_prepare,
    .plan = block_plan,
    .run = block_run,
    .adds = true,
};
