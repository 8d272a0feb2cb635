/* winograd.c - 3x3 convolution of stride 1 in fewer products. Flow: forward -> [winograd] ->
 * kernels. Thread: prepare and plan one, run any.
 *
 * Idea. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: a tile of
 * 4x4 outputs is A^T [(G g G^T) * (B^T d B)] A, where * multiplies point by point, d are the 6x6
 * inputs of the tile and g is the filter. That is F(4x4,3x3), 36 products for 16 outputs instead of
 * 144; F(6x6,3x3) takes 64 for 36 instead of 324. Over all input channels C and output channels K,
 * the products of one point are a product of matrices:
 *   m[point] [tiles,K] = v[point] [tiles,C] x weight[point] [C,K]
 * so a step is: input transform -> `points` products -> output transform with bias, residual,
 * activation and pooling.
 *
 * Layout, `points` being 36 or 64, channels padded to vectors:
 *   weight [points][panel][C of a group][columns of the panel], G g G^T, made at load
 *   v      [points][tiles][C], the transformed input
 *   m      [points][tiles][K or a range of it]
 *
 * Two ways to share it out (winograd_way):
 *   BY_TILES     Where tiles are many. One phase: a piece is a block of tiles and does all three
 *                parts, v and m in its scratch, which stays in the second-level cache.
 *   BY_CHANNELS  Where tiles are few, it is the filters that stream from memory, and each must be
 *                read by one thread only. Phase 0: pieces are ranges of tiles and write the v of
 *                all (step.common). Phase 1: a piece is a range of panels, which is one of output
 *                channels, of all tiles, m in its scratch.
 * Either way the last in_strides[0] floats of scratch are zeros: a cell outside the plane.
 *
 * Invariant. A tile's v and m do not depend on the tiles beside it, nor an m on the panels beside
 * it: both ways give the same bits.
 *
 * 6x6 needs a fifth fewer products, but more of the plane is padding and the filters take twice the
 * room: it is for large planes of few channels (choose_tile). With it VGG16's logits are 4.5e-7 of
 * the largest off, with 4x4 alone 3.2e-7. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

enum {
  BLOCK_FLOATS = 450000, /* of a block's v and m together */
  MIN_BLOCK = 12,        /* tiles */
  MAX_BLOCK = 48,
  LARGE_TILE_BLOCK = 24, /* tiles that a block of 6x6 must have, or 4x4 is taken */
  FEW_TILES = 6,         /* of 4x4: fewer, and the filters, four times as large as they were, take
                            longer to read than is saved in products */
  MAX_PANEL = 64,
  MAX_SPAN = 8,
  MAX_TILE = 6
};

/* Inputs a side of a tile, and points: its inputs, or products. */
static int span_of(const layer *l) { return l->tile + 2; }
static int points_of(const layer *l) { return span_of(l) * span_of(l); }

static int tiles_along(int side, int tile) { return (side + tile - 1) / tile; }

/* Has the node's output, at the input's own size, so few tiles that they do not pay? */
static bool has_few_tiles(const network *net, const cam_node *node) {
  const int *plane = net->shape[node - net->graph->nodes];
  return tiles_along(plane[0], 4) * tiles_along(plane[1], 4) < FEW_TILES;
}

static bool winograd_fits(const network *net, const cam_node *node) {
  if (node->op != OP_CONV || node->inputs[0] == GRAPH_INPUT || node->kernel[0] != 3 ||
      node->kernel[1] != 3 || node->stride[0] != 1 || node->stride[1] != 1)
    return false;
  int in_group = (int)node->weight->shape[2], out_group = node->channels / node->groups,
      width = net->k->width;
  return !has_few_tiles(net, node) && in_group >= 16 && out_group >= 16 &&
         (node->groups == 1 || (in_group % width == 0 && out_group % (2 * width) == 0));
}

static int winograd_panels(const network *net, const layer *l) {
  return (cell_stride(net, l->channels) + panel_width(net) - 1) / panel_width(net);
}

/* 6x6 where that leaves at least 5 % fewer products, and so few channels that a block has two
 * panels' worth of tiles: else the filters, which are larger, too, are read again too often. */
static int choose_tile(const network *net, const layer *l) {
  const int *plane = net->shape[l->node - net->graph->nodes];
  const int64_t small = (int64_t)tiles_along(plane[0], 4) * tiles_along(plane[1], 4),
                large = (int64_t)tiles_along(plane[0], 6) * tiles_along(plane[1], 6);
  const int floats = 64 * (cell_stride(net, l->depth * l->groups) + cell_stride(net, l->channels));
  if (large * 64 * 20 > small * 36 * 19)
    return 4;
  if (BLOCK_FLOATS / floats < LARGE_TILE_BLOCK || large < LARGE_TILE_BLOCK)
    return 4;
  return 6;
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

/* G g G^T of n filters from output channel `first` on and of input channel a, into the weights of
 * all points; `width`: columns of their panel. */
static void transform_filters(layer *l, int a, int first, int n, int width, int columns) {
  const int span = span_of(l), depth = l->depth;
  const double(*G)[3] = G6;
  if (l->tile == 4)
    G = G4;
  double g[3][3][MAX_PANEL], half[MAX_SPAN][3][MAX_PANEL];
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      const float *from = l->node->weight->data +
                          ((size_t)(i * 3 + j) * (size_t)depth + (size_t)a) * (size_t)l->channels +
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
                  (size_t)first * (size_t)depth + (size_t)a * (size_t)width;
      for (int k = 0; k < n; k++)
        to[k] = (float)(half[i][0][k] * G[j][0] + half[i][1][k] * G[j][1] +
                        half[i][2][k] * G[j][2]);
    }
}

static cam_code winograd_prepare(const network *net, layer *l, cam_error *error) {
  int columns = cell_stride(net, l->channels), panel = panel_width(net);
  l->depth = (int)l->node->weight->shape[2];
  l->groups = l->node->groups;
  l->tile = choose_tile(net, l);
  cam_code code = packed_alloc(net, l, (size_t)points_of(l) * (size_t)l->depth * (size_t)columns,
                               error);
  if (code)
    return code;
  for (int a = 0; a < l->depth; a++)
    for (int first = 0; first < l->channels; first += panel)
      transform_filters(l, a, first, min_int(panel, l->channels - first),
                        min_int(panel, columns - first), columns);
  return CAM_OK;
}

/* Tiles along an axis (0: y, 1: x) of which the plane has `in` cells: they cover the convolution's
 * own output, of which the step's is half after pooling. */
static int tiles_on(const step *s, int axis, int in) {
  int out;
  node_padding(s->l->node, axis, in, &out);
  return tiles_along(out, s->l->tile);
}
static int tiles_across(const step *s) { return tiles_on(s, 1, s->in_width); }
static int tiles_of(const step *s) { return tiles_on(s, 0, s->in_height) * tiles_across(s); }

static uint64_t winograd_products(const step *s) {
  return (uint64_t)tiles_of(s) * (uint64_t)points_of(s->l) * (uint64_t)s->l->depth *
         (uint64_t)s->l->channels;
}

/* Idea: a block of tiles takes per_tile floats for its V [points][tiles][C] and M
 * [points][tiles][K]; a block is as many tiles as stay in the second-level cache, so that what the
 * input transform writes is there when the products read it.
 *
 * BY_TILES: a piece is a block, and does all three steps in its own scratch. It needs at least two
 * blocks a thread, so that none waits long for the last; alone, more than one block.
 *
 * BY_CHANNELS, where there are fewer tiles: the filters are what is read most, so each should be
 * read by one thread only. Phase 0 transforms the tiles of the whole plane into `shared`, in pieces
 * of a few tiles; phase 1 gives each thread a range of panels of output channels, with scratch for
 * M of all tiles of its panels. A panel never lies in two groups (winograd_fits asks for it).
 *
 * Invariant: each output is one sum in one order, whichever way and however many pieces. */
static void winograd_plan(const network *net, step *s, int threads) {
  int tiles = tiles_of(s), per_tile = points_of(s->l) * (s->in_strides[0] + s->out_stride);
  int block = max_int(MIN_BLOCK, min_int(MAX_BLOCK, BLOCK_FLOATS / per_tile)),
      blocks = (tiles + block - 1) / block;
  if (blocks >= 2 * threads || (threads == 1 && blocks > 1)) {
    int most_tiles = (tiles + blocks - 1) / blocks;
    s->way = BY_TILES;
    s->pieces[0] = blocks;
    s->scratch = (size_t)most_tiles * (size_t)per_tile;
  } else {
    int panels = winograd_panels(net, s->l);
    s->way = BY_CHANNELS;
    s->pieces[0] = 1;
    if (threads > 1)
      s->pieces[0] = min_int(tiles, 4 * threads);
    s->pieces[1] = min_int(panels, threads);
    int most_panels = (panels + s->pieces[1] - 1) / s->pieces[1];
    s->shared = (size_t)points_of(s->l) * (size_t)tiles * (size_t)s->in_strides[0];
    s->scratch = (size_t)points_of(s->l) * (size_t)tiles * (size_t)(most_panels * panel_width(net));
  }
  s->scratch += (size_t)s->in_strides[0]; /* zeros */
}

/* The cells under a tile whose first is (y, x); `zeros` where it sticks out of the plane. */
static void find_cells(const step *s, int y, int x, const float *zeros,
                       const float *cell[MAX_SPAN * MAX_SPAN]) {
  const int span = span_of(s->l);
  for (int i = 0; i < span; i++)
    for (int j = 0; j < span; j++) {
      cell[i * span + j] = zeros;
      if (y + i >= 0 && y + i < s->in_height && x + j >= 0 && x + j < s->in_width)
        cell[i * span + j] = s->in[0] +
                             ((ptrdiff_t)(y + i) * s->in_width + x + j) * s->in_strides[0];
    }
}

/* Some tiles -> v[points][tiles][C], the points `plane` floats apart; zeros: [C]. */
static void transform_tiles(const network *net, const step *s, range tiles, float *v,
                            ptrdiff_t plane, float *zeros) {
  const int across = tiles_across(s), tile = s->l->tile;
  const float *cell[MAX_SPAN * MAX_SPAN];
  memset(zeros, 0, (size_t)s->in_strides[0] * sizeof *zeros);
  for (int t = tiles.begin; t < tiles.end; t++) {
    find_cells(s, t / across * tile - s->top, t % across * tile - s->left, zeros, cell);
    net->k->winograd_input(tile, cell, s->in_strides[0], v, plane);
    v += s->in_strides[0];
  }
}

/* m[points][tiles][columns] of output channels from `channel` on, the points `plane` floats apart
 * -> finished output cells. */
static void finish_tiles(const network *net, const step *s, range tiles, const float *m,
                         ptrdiff_t plane, int channel, int columns) {
  const int across = tiles_across(s);
  int size = s->l->tile; /* outputs a side */
  if (s->l->pool)
    size /= 2;
  float *out[MAX_TILE * MAX_TILE];
  const float *residual[MAX_TILE * MAX_TILE], *const *residuals = NULL;
  if (s->residual)
    residuals = residual;
  for (int t = tiles.begin; t < tiles.end; t++) {
    int y = t / across * size, x = t % across * size;
    for (int i = 0; i < size; i++)
      for (int j = 0; j < size; j++) {
        ptrdiff_t at = ((ptrdiff_t)(y + i) * s->out_width + x + j) * s->out_stride + channel;
        out[i * size + j] = NULL;
        if (y + i >= s->out_height || x + j >= s->out_width)
          continue;
        out[i * size + j] = s->out + at;
        if (residuals)
          residual[i * size + j] = s->residual + at;
      }
    net->k->winograd_output(s->l->tile, m, plane, columns, s->l->bias + channel, residuals, out,
                            s->l->pool, s->l->finish);
    m += columns;
  }
}

/* The products of n tiles with some panels, into m[points][n][m_columns]: the columns of those
 * panels. */
static void multiply_points(const network *net, const step *s, int n, const float *v, range panels,
                            float *m, int m_columns) {
  static const float no_bias[64] __attribute__((aligned(64)));
  static const epilogue none = {.low = -__builtin_inff(), .high = __builtin_inff()};
  const layer *l = s->l;
  int stride = s->in_strides[0], columns = cell_stride(net, l->channels), panel = panel_width(net),
      per_group = l->channels / l->groups;
  for (int t = 0; t < points_of(l); t++)
    for (int p = panels.begin; p < panels.end; p++) {
      int first = p * panel, group = 0;
      if (l->groups > 1)
        group = first / per_group;
      net->k->product(n, 1, l->depth, v + (ptrdiff_t)t * n * stride + group * l->depth, stride, 0,
                      l->weight + ((size_t)t * (size_t)columns + (size_t)first) * (size_t)l->depth,
                      min_int(panel, columns - first), no_bias, NULL, 0,
                      m + (ptrdiff_t)t * n * m_columns + (p - panels.begin) * panel, m_columns,
                      none);
    }
}

/* A block of tiles, from the input to the output. */
static void run_block(const network *net, const step *s, range tiles, float *scratch,
                      float *zeros) {
  int n = tiles.end - tiles.begin, stride = s->in_strides[0];
  float *v = scratch, *m = v + (ptrdiff_t)points_of(s->l) * n * stride;
  const range all = {0, winograd_panels(net, s->l)};
  transform_tiles(net, s, tiles, v, (ptrdiff_t)n * stride, zeros);
  multiply_points(net, s, n, v, all, m, s->out_stride);
  finish_tiles(net, s, tiles, m, (ptrdiff_t)n * s->out_stride, 0, s->out_stride);
}

/* A range of output channels of all tiles, whose v is there. */
static void run_channels(const network *net, const step *s, range panels, float *m) {
  const int panel = panel_width(net), first = panels.begin * panel,
            columns = min_int(panels.end * panel, s->out_stride) - first;
  const range all = {0, tiles_of(s)};
  multiply_points(net, s, all.end, s->common, panels, m, columns);
  finish_tiles(net, s, all, m, (ptrdiff_t)all.end * columns, first, columns);
}

static void winograd_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  if (phase == 1) {
    run_channels(net, s, part_of(winograd_panels(net, s->l), piece, s->pieces[1]), scratch);
    return;
  }
  const int all = tiles_of(s), stride = s->in_strides[0];
  const range tiles = part_of(all, piece, s->pieces[0]);
  float *zeros = scratch + s->scratch - stride;
  if (s->way == BY_TILES)
    run_block(net, s, tiles, scratch, zeros);
  else
    transform_tiles(net, s, tiles, s->common + (ptrdiff_t)tiles.begin * stride,
                    (ptrdiff_t)all * stride, zeros);
}

const layer_type layer_winograd = {
    .name = "winograd",
    .finishes = true,
    .fits = winograd_fits,
    .prepare = winograd_prepare,
    .plan = winograd_plan,
    .run = winograd_run,
    .products = winograd_products,
    .pools = true,
    .adds = true,
};
