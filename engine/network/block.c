/* block.c - an inverted residual block (Sandler et al., MobileNetV2, CVPR 2018) in one layer:
 * [expand 1x1] -> depthwise -> project 1x1 (+ residual). On large planes the expanded planes would
 * stream through memory; here a band of a few rows goes all the way while it is in the second-level
 * cache: rows are expanded (or copied) into a ring with zeros at both ends, filtered from there,
 * projected to the output. A piece is a range of output rows with a ring of its own; rows that two
 * pieces need are expanded twice. */
#include "layers.h"
#include <string.h>

enum { BAND_BYTES = 256 << 10 /* ring and filtered rows of a band together */, MAX_KERNEL = 64 };

static const layer *expand_of(const layer *l) { return l->n_parts == 3 ? &l->parts[0] : NULL; }
static const layer *depthwise_of(const layer *l) { return &l->parts[l->n_parts - 2]; }
static const layer *project_of(const layer *l) { return &l->parts[l->n_parts - 1]; }

/* Geometry of the depthwise part: its input has the step's input size (both 1x1 parts keep it), its
 * output the step's. */
typedef struct band_shape {
  int channels, row; /* of the ring: channels with padding, floats of a row */
  int rows, slots;   /* output rows of a band; rows of the ring */
  int top, left;
} band_shape;

static band_shape shape_of(const network *net, const step *s) {
  const cam_node *node = depthwise_of(s->l)->node;
  band_shape b = {.channels = network_stride(net, node->channels)};
  int unused;
  b.top = node_padding(node, 0, s->in_height, &unused);
  b.left = node_padding(node, 1, s->in_width, &unused);
  b.row = ((s->out_width - 1) * node->stride[1] + node->kernel[1]) * b.channels;
  int64_t fixed = (int64_t)(node->kernel[0] - node->stride[0]) *
                  b.row; /* a row has up to 2^28 floats, as a plane */
  int64_t per_row = (int64_t)node->stride[0] * b.row + (int64_t)s->out_width * b.channels;
  int64_t fit = ((int64_t)(BAND_BYTES / sizeof(float)) - fixed) / per_row;
  b.rows = fit < 1 ? 1 : fit < s->out_height ? (int)fit : s->out_height;
  b.slots = (b.rows - 1) * node->stride[0] + node->kernel[0];
  return b;
}

cam_code block_prepare(const network *net, layer *l, cam_error *error) {
  cam_code code = CAM_OK;
  for (int i = 0; i < l->n_parts && !code; i++)
    code = l->parts[i].type->prepare(net, &l->parts[i], error);
  return code;
}

void block_plan(const network *net, step *s, int threads) {
  band_shape b = shape_of(net, s);
  s->pieces[0] = least(s->out_height,
                       threads > 1 && s->out_height >= 16 * threads ? 2 * threads : threads);
  s->scratch = (size_t)(b.slots + 1) * (size_t)b.row +
               (size_t)b.rows * (size_t)s->out_width * (size_t)b.channels;
}

/* n rows of a plain 1x1 part. */
static void multiply_rows(const network *net, const layer *part_layer, int n, const float *a,
                          int a_stride, const float *residual, float *out, int out_stride) {
  int columns = network_stride(net, part_layer->channels), panel = 2 * net->k->width;
  for (int first = 0; first < columns; first += panel)
    net->k->product(n, 1, part_layer->depth, a, a_stride, 0,
                    part_layer->weight + (size_t)first * (size_t)part_layer->depth,
                    least(panel, columns - first), part_layer->bias + first,
                    residual ? residual + first : NULL, out_stride, out + first, out_stride,
                    part_layer->finish);
}

void block_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  const layer *expand = expand_of(s->l), *depthwise = depthwise_of(s->l),
              *project = project_of(s->l);
  const cam_node *node = depthwise->node;
  band_shape b = shape_of(net, s);
  int begin = part(s->out_height, piece, s->pieces[0]),
      end = part(s->out_height, piece + 1, s->pieces[0]);
  int height = node->kernel[0],
      made = most(0, begin * node->stride[0] -
                         b.top); /* input rows below this are in the ring, or not needed */
  int cells = least(s->in_width,
                    b.row / b.channels - b.left); /* of an input row that the kernel sees */
  float *zeros = scratch + (ptrdiff_t)b.slots * b.row, *filtered = zeros + b.row;
  const float *rows[MAX_KERNEL];
  (void)phase;
  memset(scratch, 0, (size_t)(b.slots + 1) * (size_t)b.row * sizeof *scratch);
  for (int y0 = begin; y0 < end; y0 += b.rows) {
    int y1 = least(end, y0 + b.rows);
    for (; made < least(s->in_height, (y1 - 1) * node->stride[0] - b.top + height); made++) {
      const float *from = s->in[0] + (ptrdiff_t)made * s->in_width * s->in_strides[0];
      float *to = scratch + (ptrdiff_t)(made % b.slots) * b.row + (ptrdiff_t)b.left * b.channels;
      if (expand)
        multiply_rows(net, expand, cells, from, s->in_strides[0], NULL, to, b.channels);
      else
        memcpy(to, from, (size_t)cells * (size_t)b.channels * sizeof *to);
    }
    for (int y = y0; y < y1; y++) {
      for (int i = 0; i < height; i++) {
        int row = y * node->stride[0] - b.top + i;
        rows[i] = row < 0 || row >= s->in_height ? zeros
                                                 : scratch + (ptrdiff_t)(row % b.slots) * b.row;
      }
      net->k->depthwise(rows, height, node->kernel[1], node->stride[1], s->out_width, b.channels,
                        depthwise->weight, depthwise->bias,
                        filtered + (ptrdiff_t)(y - y0) * s->out_width * b.channels,
                        depthwise->finish);
    }
    ptrdiff_t at = (ptrdiff_t)y0 * s->out_width * s->out_stride;
    multiply_rows(net, project, (y1 - y0) * s->out_width, filtered, b.channels,
                  s->residual ? s->residual + at : NULL, s->out + at, s->out_stride);
  }
}
