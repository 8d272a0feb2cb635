/* winograd.c - 3x3 convolution of stride 1 as Winograd's F(4x4,3x3), 36 products for 16 outputs
 * instead of 144, or F(6x6,3x3), 64 for 36 instead of 324. Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016. The plane is cut into tiles of 4x4 or 6x6 outputs. Of
 * a block of tiles: input transform -> 36 or 64 products [tiles, C] x [C, K] -> output transform
 * with bias, residual, activation and pooling. Filters are transformed once, at load:
 * weight[points][panel][C][columns of the panel]. Many tiles: a piece is a block of them and does
 * it all, in scratch that stays in the second-level cache. Few tiles: the filters are what streams
 * from memory, so that every thread takes other output channels; then the input is transformed
 * first, once for all. 6x6 needs a fifth fewer products, but more of the plane is padding and the
 * filters take twice the room: it is for large planes of few channels. With it VGG16's logits
 * are 4.5e-7 of the largest off, with 4x4 alone 3.2e-7. */
#include "layers.h"
#include <string.h>

enum {
  BLOCK_FLOATS = 450000 /* of a block's V and M together */,
  MIN_BLOCK = 12,
  MAX_BLOCK = 48,
  MAX_PANEL = 64,
  MAX_SPAN = 8,
  MAX_TILE = 6
};

static int span_of(const layer *l) { return l->tile + 2; }
static int points_of(const layer *l) { return span_of(l) * span_of(l); }

bool winograd_fits(const network *net, const cam_node *node) {
  if (node->op != OP_CONV || node->inputs[0] == GRAPH_INPUT || node->kernel[0] != 3 ||
      node->kernel[1] != 3 || node->stride[0] != 1 || node->stride[1] != 1)
    return false;
  int in_group = (int)node->weight->shape[2], out_group = node->channels / node->groups,
      width = net->k->width;
  return in_group >= 16 && out_group >= 16 &&
         (node->groups == 1 || (in_group % width == 0 && out_group % (2 * width) == 0));
}

static int panel_columns(const network *net) { return 2 * net->k->width; }
static int panels_of(const network *net, const layer *l) {
  return (network_stride(net, l->channels) + panel_columns(net) - 1) / panel_columns(net);
}

static int tiles_along(int side, int tile) { return (side + tile - 1) / tile; }

/* 6x6 where that leaves at least 5 % fewer products, and so few channels that a block has two
 * panels' worth of tiles: else the filters, which are larger, too, are read again too often
 * (VGG16's third group of layers: 256 channels, 14.6 ms instead of 11.8). */
enum { LEAST_BLOCK = 24 };
static int choose_tile(const network *net, const layer *l) {
  const int *plane = net->shape[l->node - net->graph->nodes];
  const int64_t small = (int64_t)tiles_along(plane[0], 4) * tiles_along(plane[1], 4) * 36,
                few = (int64_t)tiles_along(plane[0], 6) * tiles_along(plane[1], 6),
                large = few * 64;
  const int floats = 64 *
                     (network_stride(net, l->depth * l->groups) + network_stride(net, l->channels));
  return large * 20 <= small * 19 && BLOCK_FLOATS / floats >= LEAST_BLOCK && few >= LEAST_BLOCK ? 6
                                                                                                : 4;
}

/* G of one filter's row or column: 3 values -> span. */
static const double G4[6][3] = {{1 / 4., 0, 0},
                                {-1 / 6., -1 / 6., -1 / 6.},
                                {-1 / 6., 1 / 6., -1 / 6.},
                                {1 / 24., 1 / 12., 1 / 6.},
                                {1 / 24., -1 / 12., 1 / 6.},
                                {0, 0, 1}};
static const double G6[8][3] = {{1, 0, 0},
                                {-2 / 9., -2 / 9., -2 / 9.},
                                {-2 / 9., 2 / 9., -2 / 9.},
                                {1 / 90., 1 / 45., 2 / 45.},
                                {1 / 90., -1 / 45., 2 / 45.},
                                {32 / 45., 16 / 45., 8 / 45.},
                                {32 / 45., -16 / 45., 8 / 45.},
                                {0, 0, 1}};

cam_code winograd_prepare(const network *net, layer *l, cam_error *error) {
  int depth = l->depth = (int)l->node->weight->shape[2], columns = network_stride(net, l->channels),
      panel = panel_columns(net);
  l->groups = l->node->groups;
  l->tile = choose_tile(net, l);
  const int span = span_of(l);
  const double(*G)[3] = l->tile == 4 ? G4 : G6;
  cam_code code = packed_alloc(net, l, (size_t)points_of(l) * (size_t)depth * (size_t)columns,
                               error);
  if (code)
    return code;
  for (int a = 0; a < depth; a++)
    for (int first = 0, n; first < l->channels;
         first += n) { /* G g G^T of one input channel and a panel's columns */
      double g[3][3][MAX_PANEL], half[MAX_SPAN][3][MAX_PANEL];
      int stored = least(panel, columns - first);
      n = least(panel, l->channels - first);
      for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
          const float *from = l->node->weight->data +
                              ((size_t)(i * 3 + j) * (size_t)depth + (size_t)a) *
                                  (size_t)l->channels +
                              (size_t)first;
          for (int k = 0; k < n; k++)
            g[i][j][k] = from[k];
        }
      for (int i = 0; i < span; i++)
        for (int j = 0; j < 3; j++)
          for (int k = 0; k < n; k++)
            half[i][j][k] = G[i][0] * g[0][j][k] + G[i][1] * g[1][j][k] + G[i][2] * g[2][j][k];
      for (int i = 0; i < span; i++)
        for (int j = 0; j < span; j++) {
          float *to = l->weight + (size_t)(i * span + j) * (size_t)depth * (size_t)columns +
                      (size_t)first * (size_t)depth + (size_t)a * (size_t)stored;
          for (int k = 0; k < n; k++)
            to[k] = (float)(half[i][0][k] * G[j][0] + half[i][1][k] * G[j][1] +
                            half[i][2][k] * G[j][2]);
        }
    }
  return CAM_OK;
}

/* The convolution's own output; the step's is half of it after pooling. */
static int conv_side(const step *s, int axis) {
  int out;
  node_padding(s->l->node, axis, axis ? s->in_width : s->in_height, &out);
  return out;
}
static int tiles_across(const step *s) { return tiles_along(conv_side(s, 1), s->l->tile); }
static int tiles_of(const step *s) {
  return tiles_along(conv_side(s, 0), s->l->tile) * tiles_across(s);
}

uint64_t winograd_products(const step *s) {
  return (uint64_t)tiles_of(s) * (uint64_t)points_of(s->l) * (uint64_t)s->l->depth *
         (uint64_t)s->l->channels;
}

void winograd_plan(const network *net, step *s, int threads) {
  int tiles = tiles_of(s), per_tile = points_of(s->l) * (s->in_strides[0] + s->out_stride),
      panels = panels_of(net, s->l);
  int block = most(MIN_BLOCK, least(MAX_BLOCK, BLOCK_FLOATS / per_tile)),
      blocks = (tiles + block - 1) / block;
  if (blocks >= 2 * threads || (threads == 1 && blocks > 1)) { /* many tiles */
    s->split[0] = (tiles + blocks - 1) / blocks;
    s->split[1] = 0;
    s->pieces[0] = blocks;
    s->scratch = (size_t)s->split[0] * (size_t)per_tile;
  } else { /* few tiles */
    s->split[0] = tiles;
    s->split[1] = 1;
    s->pieces[0] = least(tiles, threads > 1 ? 4 * threads : 1);
    s->pieces[1] = least(panels, threads);
    int most_panels = (panels + s->pieces[1] - 1) / s->pieces[1];
    s->shared = (size_t)points_of(s->l) * (size_t)tiles * (size_t)s->in_strides[0];
    s->scratch = (size_t)points_of(s->l) * (size_t)tiles *
                 (size_t)(most_panels * panel_columns(net));
  }
  s->scratch += (size_t)s->in_strides[0]; /* zeros: cells outside the plane */
}

/* Tiles first..last-1 -> v[points][tiles][C]; zeros: [C]. */
static void transform_tiles(const network *net, const step *s, int first, int last, float *v,
                            ptrdiff_t plane, float *zeros) {
  const int across = tiles_across(s), stride = s->in_strides[0], tile = s->l->tile,
            span = span_of(s->l);
  memset(zeros, 0, (size_t)stride * sizeof *zeros);
  for (int t = first; t < last; t++, v += stride) {
    const float *cell[MAX_SPAN * MAX_SPAN];
    int y = t / across * tile - s->top, x = t % across * tile - s->left;
    for (int i = 0; i < span; i++)
      for (int j = 0; j < span; j++) {
        bool inside = y + i >= 0 && y + i < s->in_height && x + j >= 0 && x + j < s->in_width;
        cell[i * span + j] = inside ? s->in[0] + ((ptrdiff_t)(y + i) * s->in_width + x + j) * stride
                                    : zeros;
      }
    net->k->winograd_input(tile, cell, stride, v, plane);
  }
}

/* m[points][tiles][columns] of panels first_panel.. -> finished output cells of tiles
 * first..last-1. */
static void finish_tiles(const network *net, const step *s, int first, int last, const float *m,
                         ptrdiff_t plane, int channel, int columns) {
  const int across = tiles_across(s), tile = s->l->tile, size = s->l->pool ? tile / 2 : tile;
  for (int t = first; t < last; t++, m += columns) {
    float *out[MAX_TILE * MAX_TILE];
    const float *residual[MAX_TILE * MAX_TILE];
    int y = t / across * size, x = t % across * size;
    for (int i = 0; i < size; i++)
      for (int j = 0; j < size; j++) {
        ptrdiff_t at = ((ptrdiff_t)(y + i) * s->out_width + x + j) * s->out_stride + channel;
        bool inside = y + i < s->out_height && x + j < s->out_width;
        out[i * size + j] = inside ? s->out + at : NULL;
        residual[i * size + j] = inside && s->residual ? s->residual + at : NULL;
      }
    net->k->winograd_output(tile, m, plane, columns, s->l->bias + channel,
                            s->residual ? residual : NULL, out, s->l->pool, s->l->finish);
  }
}

/* The products of n tiles with panels first..last-1, into m[points][n][columns of those panels]. */
static void multiply(const network *net, const step *s, int n, const float *v, int first, int last,
                     float *m, int m_columns) {
  static const float no_bias[64] __attribute__((aligned(64)));
  static const epilogue none = {-__builtin_inff(), __builtin_inff()};
  const layer *l = s->l;
  int stride = s->in_strides[0], columns = network_stride(net, l->channels),
      panel = panel_columns(net), per_group = l->channels / l->groups;
  for (int t = 0; t < points_of(l); t++)
    for (int p = first; p < last; p++) {
      int width = least(panel, columns - p * panel),
          group = l->groups > 1 ? p * panel / per_group : 0;
      net->k->product(n, 1, l->depth, v + (ptrdiff_t)t * n * stride + group * l->depth, stride, 0,
                      l->weight +
                          ((size_t)t * (size_t)columns + (size_t)(p * panel)) * (size_t)l->depth,
                      width, no_bias, NULL, 0,
                      m + (ptrdiff_t)t * n * m_columns + (p - first) * panel, m_columns, none);
    }
}

void winograd_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  int tiles = tiles_of(s), stride = s->in_strides[0];
  float *zeros = scratch + s->scratch - stride;
  if (!s->split[1]) { /* a block of tiles, all of it */
    int first = part(tiles, piece, s->pieces[0]), last = part(tiles, piece + 1, s->pieces[0]),
        n = last - first;
    float *v = scratch, *m = v + (ptrdiff_t)points_of(s->l) * n * stride;
    transform_tiles(net, s, first, last, v, (ptrdiff_t)n * stride, zeros);
    multiply(net, s, n, v, 0, panels_of(net, s->l), m, s->out_stride);
    finish_tiles(net, s, first, last, m, (ptrdiff_t)n * s->out_stride, 0, s->out_stride);
  } else if (phase == 0) {
    int first = part(tiles, piece, s->pieces[0]), last = part(tiles, piece + 1, s->pieces[0]);
    transform_tiles(net, s, first, last, s->common + (ptrdiff_t)first * stride,
                    (ptrdiff_t)tiles * stride, zeros);
  } else {
    int panels = panels_of(net, s->l), first = part(panels, piece, s->pieces[1]),
        last = part(panels, piece + 1, s->pieces[1]), panel = panel_columns(net);
    int columns = least(last * panel, s->out_stride) - first * panel;
    multiply(net, s, tiles, s->common, first, last, scratch, columns);
    finish_tiles(net, s, 0, tiles, scratch, (ptrdiff_t)tiles * columns, first * panel, columns);
  }
}
