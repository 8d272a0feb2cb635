/* layers.c - how each layer is computed: packed once, planned per input shape, run in pieces by the
 * team. Flow: network -> [layers] -> kernels.   Thread: prepare and plan one, run any; a piece
 * writes its own part of the output only. */
#include "layers.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

float *packed_new(size_t count) {
  size_t bytes = (count * sizeof(float) + 127) / 64 * 64, huge = (size_t)2 << 20;
  bool large = bytes >= 2 * huge; /* streamed again and again: huge pages spare the TLB */
  if (large)
    bytes = (bytes + huge - 1) / huge * huge;
  float *p = aligned_alloc(large ? huge : 64, bytes);
  if (p && large)
    madvise(p, bytes, MADV_HUGEPAGE); /* a hint: it may not be had */
  if (p)
    memset(p, 0, bytes);
  return p;
}

/* Of all layers together: packing can be much larger than the file (one tensor in many nodes,
 * narrow groups merged). */
static const uint64_t MAX_PACKED = UINT64_C(1) << 30;

cam_code packed_alloc(const network *net, layer *l, size_t weights, cam_error *error) {
  if (__atomic_add_fetch(net->packed, weights, __ATOMIC_RELAXED) > MAX_PACKED)
    return cam_fail(error, CAM_E_MODEL,
                    "node \"%.60s\": %zu packed weights; allowed are %" PRIu64 " in all layers",
                    l->node->name, weights, MAX_PACKED);
  l->weight = packed_new(weights);
  l->weight_count = weights;
  l->bias = packed_new((size_t)network_stride(net, l->channels));
  if (!l->weight || !l->bias)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory for %zu packed weights",
                    l->node->name, weights);
  if (l->node->bias)
    memcpy(l->bias, l->node->bias->data, (size_t)l->channels * sizeof(float));
  return CAM_OK;
}

/* ---- convolution as a matrix product: [output cells, depth] x [depth, channels]. Where the kernel
 * lies inside the plane, and takes whole cells, its rows are multiplied as they lie; at the
 * borders, and of groups, cells are first gathered into rows (im2col). Groups too narrow for a
 * vector are merged, with zeros between them. ---- */

enum {
  BLOCK_BYTES =
      256 << 10 /* of the left operand: stays in the second-level cache while the panels pass */
};

static bool any_conv(const network *net, const cam_node *node) {
  return (void)net, node->op == OP_CONV;
}

static bool is_plain(const cam_node *node) {
  return node->kernel[0] == 1 && node->kernel[1] == 1 && node->stride[0] == 1 &&
         node->stride[1] == 1 && !node->pads[0] && !node->pads[1] && !node->pads[2] &&
         !node->pads[3];
}

static cam_code product_prepare(const network *net, layer *l, cam_error *error) {
  const cam_node *node = l->node;
  int out_group = l->channels / node->groups, in_group = (int)node->weight->shape[2], merged = 1,
      cells = node->kernel[0] * node->kernel[1];
  while (merged < node->groups && (out_group * merged % net->k->width || node->groups % merged))
    merged++;
  l->groups = node->groups / merged;
  l->depth = cells * in_group * merged;
  int columns = network_stride(net, out_group * merged), panel = 2 * net->k->width;
  cam_code code = packed_alloc(net, l, (size_t)l->groups * (size_t)l->depth * (size_t)columns,
                               error);
  if (code)
    return code;
  for (int cell = 0; cell < cells; cell++)
    for (int a = 0; a < in_group; a++) {
      const float *from = node->weight->data +
                          ((size_t)cell * (size_t)in_group + (size_t)a) * (size_t)l->channels;
      for (int c = 0; c < l->channels; c++) {
        int g = c / out_group,
            column = c - g / merged * out_group * merged; /* of its merged group */
        int k = (cell * merged + g % merged) * in_group + a, first = column / panel * panel,
            n = least(panel, columns - first);
        l->weight[((size_t)(g / merged) * (size_t)columns + (size_t)first) * (size_t)l->depth +
                  (size_t)k * (size_t)n + (size_t)(column - first)] = from[c];
      }
    }
  return CAM_OK;
}

static int product_columns(const network *net, const layer *l) {
  return network_stride(net, l->groups > 1 ? l->channels / l->groups : l->channels);
}
static int product_panels(const network *net, const layer *l) {
  return l->groups * ((product_columns(net, l) + 2 * net->k->width - 1) / (2 * net->k->width));
}

static void product_plan(const network *net, step *s, int threads) {
  int rows = s->out_height * s->out_width, tile = net->k->tile_rows,
      panels = product_panels(net, s->l);
  int for_cache = (int)(((int64_t)rows * s->l->depth * (int64_t)sizeof(float) + BLOCK_BYTES - 1) /
                        BLOCK_BYTES);
  int for_threads = threads > 1 ? least(2 * threads, most(1, rows / (3 * tile))) : 1;
  s->split[0] = least(most(for_cache, for_threads), most(1, rows / tile));
  s->split[1] = s->split[0] >= threads
                    ? 1
                    : least(panels, (2 * threads + s->split[0] - 1) / s->split[0]);
  s->pieces[0] = s->split[0] * s->split[1];
  s->scratch = is_plain(s->l->node) && s->l->groups == 1 ? 0
                                                         : (size_t)(4 * tile) * (size_t)s->l->depth;
}

/* The input cells under the kernel at output cells first..first+n-1, of one group, as rows of
 * [depth]; 0 outside the plane. */
static void gather(const step *s, int group, int first, int n, float *out) {
  const cam_node *node = s->l->node;
  int breadth = node->kernel[1], channels = s->l->depth / (node->kernel[0] * breadth);
  bool whole = channels == s->in_strides[0]; /* neighbouring cells are neighbours in memory, too */
  for (int r = first; r < first + n; r++) {
    int y = r / s->out_width * node->stride[0] - s->top,
        x = r % s->out_width * node->stride[1] - s->left;
    for (int i = 0; i < node->kernel[0]; i++, out += breadth * channels) {
      if (y + i < 0 || y + i >= s->in_height) {
        memset(out, 0, (size_t)(breadth * channels) * sizeof *out);
        continue;
      }
      const float *row = s->in[0] + (ptrdiff_t)(y + i) * s->in_width * s->in_strides[0] +
                         group * channels;
      if (whole && x >= 0 && x + breadth <= s->in_width) {
        memcpy(out, row + (ptrdiff_t)x * channels, (size_t)(breadth * channels) * sizeof *out);
        continue;
      }
      for (int j = 0; j < breadth; j++) {
        if (x + j < 0 || x + j >= s->in_width)
          memset(out + j * channels, 0, (size_t)channels * sizeof *out);
        else
          memcpy(out + j * channels, row + (ptrdiff_t)(x + j) * s->in_strides[0],
                 (size_t)channels * sizeof *out);
      }
    }
  }
}

/* The products of `rows` output cells from `first` on with panels p0..p1-1. a: their rows,
 * `segments` runs of depth / segments floats each. */
static void multiply(const network *net, const step *s, int first, int rows, int p0, int p1,
                     int segments, const float *a, ptrdiff_t a_stride, ptrdiff_t a_segment) {
  const layer *l = s->l;
  int panel = 2 * net->k->width, columns = product_columns(net, l),
      per_group = (columns + panel - 1) / panel;
  for (int p = p0; p < p1; p++) {
    int group = p / per_group, column = p % per_group * panel, channel = group * columns + column;
    ptrdiff_t at = (ptrdiff_t)first * s->out_stride + channel;
    net->k->product(
        rows, segments, l->depth / segments, a, a_stride, a_segment,
        l->weight + ((size_t)group * (size_t)columns + (size_t)column) * (size_t)l->depth,
        least(panel, columns - column), l->bias + channel, s->residual ? s->residual + at : NULL,
        s->out_stride, s->out + at, s->out_stride, l->finish);
  }
}

/* Output cells begin..end-1, gathered a block at a time. */
static void multiply_gathered(const network *net, const step *s, int begin, int end, int p0, int p1,
                              float *scratch) {
  int block = 4 * net->k->tile_rows, per_group = product_panels(net, s->l) / s->l->groups;
  for (int m = begin; m < end; m += block) {
    int rows = least(block, end - m);
    for (int p = p0, next; p < p1; p = next) { /* group by group */
      next = least(p1, (p / per_group + 1) * per_group);
      gather(s, p / per_group, m, rows, scratch);
      multiply(net, s, m, rows, p, next, 1, scratch, s->l->depth, 0);
    }
  }
}

static void product_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  const layer *l = s->l;
  const cam_node *node = l->node;
  (void)phase;
  int cells = s->out_height * s->out_width, panels = product_panels(net, l),
      stride = s->in_strides[0];
  int begin = part(cells, piece % s->split[0], s->split[0]),
      end = part(cells, piece % s->split[0] + 1, s->split[0]);
  int p0 = part(panels, piece / s->split[0], s->split[1]),
      p1 = part(panels, piece / s->split[0] + 1, s->split[1]);
  if (s->scratch == 0) {
    multiply(net, s, begin, end - begin, p0, p1, 1, s->in[0] + (ptrdiff_t)begin * stride, stride,
             0);
    return;
  }
  bool whole_cells = l->groups == 1 && stride * node->kernel[0] * node->kernel[1] == l->depth;
  /* Output columns whose kernel is inside the plane: x0 to x1 - 1. */
  int x0 = least(s->out_width, (s->left + node->stride[1] - 1) / node->stride[1]),
      x1 = s->in_width + s->left - node->kernel[1];
  x1 = x1 < 0 ? x0 : most(x0, least(s->out_width, x1 / node->stride[1] + 1));
  for (int m = begin, next; m < end; m = next) { /* the cells of one output row at a time */
    int y = m / s->out_width, row = y * s->out_width, top = y * node->stride[0] - s->top;
    next = least(end, row + s->out_width);
    int from = next, to = next; /* cells that need no gathering */
    if (whole_cells && top >= 0 && top + node->kernel[0] <= s->in_height) {
      from = least(next, most(m, row + x0));
      to = most(from, least(next, row + x1));
    }
    multiply_gathered(net, s, m, from, p0, p1, scratch);
    if (to > from)
      multiply(net, s, from, to - from, p0, p1, node->kernel[0],
               s->in[0] +
                   ((ptrdiff_t)top * s->in_width + (from - row) * node->stride[1] - s->left) *
                       stride,
               (ptrdiff_t)node->stride[1] * stride, (ptrdiff_t)s->in_width * stride);
    multiply_gathered(net, s, to, next, p0, p1, scratch);
  }
}

/* ---- depthwise convolution: one filter a channel; input rows are copied into a ring of rows with
 * zeros at both ends ---- */

static bool is_depthwise(const network *net, const cam_node *node) {
  return (void)net, node->op == OP_CONV && node->groups > 1 && node->groups == node->channels &&
                        node->weight->shape[2] == 1 && node->inputs[0] != GRAPH_INPUT;
}

static cam_code depthwise_prepare(const network *net, layer *l, cam_error *error) {
  int cells = l->node->kernel[0] * l->node->kernel[1], stride = network_stride(net, l->channels);
  cam_code code = packed_alloc(net, l, (size_t)cells * (size_t)stride, error);
  for (int i = 0; i < cells && !code; i++)
    memcpy(l->weight + (size_t)i * (size_t)stride,
           l->node->weight->data + (size_t)i * (size_t)l->channels,
           (size_t)l->channels * sizeof(float));
  return code;
}

static int ring_row(const step *s) {
  return ((s->out_width - 1) * s->l->node->stride[1] + s->l->node->kernel[1]) * s->out_stride;
}

static void depthwise_plan(const network *net, step *s, int threads) {
  (void)net;
  s->pieces[0] = least(s->out_height, threads > 1 ? 2 * threads : 1);
  s->scratch = (size_t)(s->l->node->kernel[0] + 1) * (size_t)ring_row(s);
}

static void depthwise_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  const cam_node *node = s->l->node;
  int height = node->kernel[0], channels = s->out_stride, row = ring_row(s), made = INT32_MIN;
  int copied = least(s->in_width,
                     row / channels - s->left); /* cells of an input row that any kernel sees */
  float *zero = scratch + (ptrdiff_t)height * row;
  const float *rows[64];
  memset(scratch, 0, s->scratch * sizeof *scratch);
  for (int y = part(s->out_height, piece, s->pieces[0]);
       y < part(s->out_height, piece + 1, s->pieces[0]); y++) {
    int top = y * node->stride[0] - s->top;
    for (int i = 0; i < height; i++) {
      int yy = top + i;
      rows[i] = zero;
      if (yy < 0 || yy >= s->in_height)
        continue;
      float *slot = scratch + (ptrdiff_t)(yy % height) * row;
      if (yy > made) {
        memcpy(slot + (ptrdiff_t)s->left * channels,
               s->in[0] + (ptrdiff_t)yy * s->in_width * channels,
               (size_t)copied * (size_t)channels * sizeof *slot);
        made = yy;
      }
      rows[i] = slot;
    }
    net->k->depthwise(rows, height, node->kernel[1], node->stride[1], s->out_width, channels,
                      s->l->weight, s->l->bias, s->out + (ptrdiff_t)y * s->out_width * channels,
                      s->l->finish);
  }
}

/* ---- pools: the cells under the kernel that are inside the plane ---- */

static bool is_pool(const network *net, const cam_node *node) {
  return (void)net, node->op == OP_MAX_POOL || node->op == OP_AVG_POOL;
}

static void by_rows(const network *net, step *s, int threads) {
  (void)net;
  s->pieces[0] = least(s->out_height, threads > 1 ? 2 * threads : 1);
  s->scratch = 0;
}

static void pool_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  const cam_node *node = s->l->node;
  const float *cell[64 * 64];
  (void)scratch;
  for (int y = part(s->out_height, piece, s->pieces[0]);
       y < part(s->out_height, piece + 1, s->pieces[0]); y++)
    for (int x = 0; x < s->out_width; x++) {
      int top = y * node->stride[0] - s->top, left = x * node->stride[1] - s->left, n = 0;
      for (int i = most(0, -top); i < least(node->kernel[0], s->in_height - top); i++)
        for (int j = most(0, -left); j < least(node->kernel[1], s->in_width - left); j++)
          cell[n++] = s->in[0] + ((ptrdiff_t)(top + i) * s->in_width + left + j) * s->in_strides[0];
      (node->op == OP_MAX_POOL ? net->k->max_cells : net->k->mean_cells)(
          cell, n, s->out_stride, s->out + ((ptrdiff_t)y * s->out_width + x) * s->out_stride);
    }
}

/* ---- concatenation along channels; what is left of the last vector becomes 0 ---- */

static bool is_concat(const network *net, const cam_node *node) {
  return (void)net, node->op == OP_CONCAT;
}

static void concat_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)net, (void)phase, (void)scratch;
  int begin = part(s->out_height, piece, s->pieces[0]) * s->out_width,
      end = part(s->out_height, piece + 1, s->pieces[0]) * s->out_width;
  for (int m = begin; m < end; m++) {
    float *out = s->out + (ptrdiff_t)m * s->out_stride;
    int c = 0;
    for (int i = 0; i < s->l->n_inputs; c += s->in_channels[i++])
      memcpy(out + c, s->in[i] + (ptrdiff_t)m * s->in_strides[i],
             (size_t)s->in_channels[i] * sizeof *out);
    memset(out + c, 0, (size_t)(s->out_stride - c) * sizeof *out);
  }
}

/* ---- sums and activations that could not be fused ---- */

static bool is_elementwise(const network *net, const cam_node *node) {
  return (void)net, node->op == OP_ADD || node->op == OP_RELU || node->op == OP_RELU6;
}

static void elementwise_run(const network *net, const step *s, int phase, int piece,
                            float *scratch) {
  (void)phase;
  (void)scratch;
  ptrdiff_t row = (ptrdiff_t)s->out_width * s->out_stride;
  ptrdiff_t begin = part(s->out_height, piece, s->pieces[0]) * row,
            end = part(s->out_height, piece + 1, s->pieces[0]) * row;
  net->k->combine(s->in[0] + begin, s->l->n_inputs > 1 ? s->in[1] + begin : NULL,
                  (size_t)(end - begin), s->out + begin, s->l->finish);
}

static const layer_type layer_types[] = {
    {"depthwise", is_depthwise, depthwise_prepare, depthwise_plan, depthwise_run, false, false,
     false},
    {"winograd", winograd_fits, winograd_prepare, winograd_plan, winograd_run, false, true, true},
    {"product", any_conv, product_prepare, product_plan, product_run, true, false, true},
    {"pool", is_pool, NULL, by_rows, pool_run, false, false, false},
    {"elementwise", is_elementwise, NULL, by_rows, elementwise_run, false, false, false},
    {"concat", is_concat, NULL, by_rows, concat_run, true, false, false},
};

const layer_type *layer_type_for(const network *net, const cam_node *node) {
  const layer_type *type = layer_types;
  while (!type->fits(net, node))
    type++;
  return type;
}

const layer_type *layer_type_concat(void) {
  const layer_type *type = layer_types;
  while (type->run != concat_run)
    type++;
  return type;
}

const layer_type layer_type_block = {"block",   NULL,  block_prepare, block_plan,
                                     block_run, false, false,         true};
bool layer_is_plain_product(const layer *l) {
  return l->type->run == product_run && is_plain(l->node) && l->node->groups == 1;
}
bool layer_is_depthwise(const layer *l) { return l->type->run == depthwise_run; }
