/* product.c - a convolution as a product of matrices. Flow: forward -> [product] -> kernels.
 * Thread: prepare and plan one, run any.
 *
 * Idea. One output cell is one row of a matrix, the input cells under the kernel, times the matrix
 * of all filters: out[cell][channel] = sum over k of row[cell][k] * weight[k][channel]. Making
 * those rows (im2col) copies each input cell once for each cell of the kernel, so rows are made
 * only where they do not lie in the plane already.
 *
 * Layout.
 *   k      counts depth = kernel height x kernel breadth x channels of a group, in this order.
 *   right  weight [group][panel][depth][columns of the panel], 0 in padded columns. A panel is
 *          what the kernel multiplies at a time: two vectors of channels, or one at the end of a
 *          group. Groups too narrow for a vector are merged into one, with zeros where a channel
 *          does not see another.
 *   left   a view (below) of one of three kinds:
 *          - the plane itself, for 1x1 kernels of stride 1: row m is cell m;
 *          - the plane under a larger kernel: row m is `kernel height` runs, a row of the plane
 *            apart, each of `kernel breadth` cells that are neighbours in memory. The kernel must
 *            be inside the plane, there must be one group, and cells must have no padding;
 *          - gathered: a block of a few rows, copied to scratch, 0 outside the plane.
 *          What comes before a 1x1 kernel (squeeze and excite's factors, an affine and its
 *          activation) is done to a piece's cells on their way to scratch: it costs no plane.
 *
 * Pieces. Output cells are cut into row_parts, panels into panel_parts; a piece is one of each, so
 * pieces write apart. An output is one sum over k from first to last, whichever view its row comes
 * from: the result does not depend on how the work is cut. */
#include "cam_minmax.h"
#include "layers.h"
#include <string.h>

enum {
  CACHED_BYTES = 256 << 10,   /* of the left operand: they stay in the second-level cache while the
                                 panels pass */
  CACHED_WEIGHTS = 512 << 10, /* bytes of filters that stay in it while rows of the plane pass */
  FEW_PRODUCTS = 1 << 14,     /* in a step: not worth a team's waiting for each other */
  BLOCK_TILES = 5             /* register tiles of a gathered block */
};

static bool product_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_CONV;
}

static bool is_pointwise(const cam_node *node) {
  return node->kernel[0] == 1 && node->kernel[1] == 1 && node->stride[0] == 1 &&
         node->stride[1] == 1 && !node->pads[0] && !node->pads[1] && !node->pads[2] &&
         !node->pads[3];
}

bool is_plain_product(const layer *l) {
  return l->type == &layer_product && is_pointwise(l->node) && l->node->groups == 1;
}

/* Are the rows of the left operand the cells of the plane? */
static bool reads_plane(const layer *l) { return is_pointwise(l->node) && l->groups == 1; }

/* ---- weights ---- */

/* Of one merged group. */
static int group_columns(const network *net, const layer *l) {
  return cell_stride(net, l->merged * (l->channels / l->node->groups));
}
static int group_panels(const network *net, const layer *l) {
  return (group_columns(net, l) + panel_width(net) - 1) / panel_width(net);
}
static int product_panels(const network *net, const layer *l) {
  return l->groups * group_panels(net, l);
}

/* How many groups are merged into one: as few as fill whole vectors, or all. The last one may lack
 * some: it reads what pads the cells of the plane, times 0, and writes 0 into what pads those of
 * the output; where either has not the room, more are merged. */
static int merged_groups(const network *net, const cam_node *node) {
  int in_group = (int)node->weight->shape[2], out_group = node->channels / node->groups;
  int stride = cell_stride(net, in_group * node->groups), merged = 1;
  int out_stride = cell_stride(net, node->channels);
  while (merged < node->groups) {
    int count = (node->groups + merged - 1) / merged;
    bool is_whole = out_group * merged % net->k->width == 0;
    bool is_inside = count * merged == node->groups || (count * merged * in_group <= stride &&
                                                        count * merged * out_group <= out_stride);
    if (is_whole && is_inside && (node->inputs[0] >= 0 || count * merged == node->groups))
      break;
    merged++;
  }
  return merged;
}

static cam_code product_prepare(const network *net, layer *l, cam_error *error) {
  const cam_node *node = l->node;
  if (l->before) {
    cam_code code = l->before->type->prepare(net, l->before, error);
    if (code)
      return code;
  }
  int merged = merged_groups(net, node), cells = node->kernel[0] * node->kernel[1];
  int in_group = (int)node->weight->shape[2], out_group = l->channels / node->groups;
  l->merged = merged;
  l->groups = (node->groups + merged - 1) / merged;
  l->depth = cells * in_group * merged;
  int columns = group_columns(net, l), panel = panel_width(net);
  cam_code code = packed_alloc(net, l, (size_t)l->groups * (size_t)l->depth * (size_t)columns,
                               error);
  if (code)
    return code;
  for (int cell = 0; cell < cells; cell++)
    for (int a = 0; a < in_group; a++) {
      const float *from = node->weight->data +
                          ((size_t)cell * (size_t)in_group + (size_t)a) * (size_t)l->channels;
      for (int c = 0; c < l->channels; c++) {
        int g = c / out_group, into = g / merged; /* the channel's own group, and the merged one */
        int column = c - into * merged * out_group, first = column / panel * panel;
        int k = (cell * merged + g % merged) * in_group + a;
        int width = min_int(panel, columns - first);
        float *to = l->weight + ((size_t)into * (size_t)columns + (size_t)first) * (size_t)l->depth;
        to[(size_t)k * (size_t)width + (size_t)(column - first)] = from[c];
      }
    }
  return CAM_OK;
}

/* ---- plan ---- */

/* Rows of a gathered block, at most. */
static int block_rows(const network *net) { return BLOCK_TILES * net->k->tile_rows; }

/* Not of a plane that is read as it lies: are the filters so many, and the rows so short, that
 * filters would be read from memory again for each row? */
static bool gathers_all(const network *net, const step *s) {
  return s->out_width < block_rows(net) && s->l->weight_count * sizeof(float) > CACHED_WEIGHTS;
}

static void product_plan(const network *net, step *s, int threads) {
  int rows = s->out_height * s->out_width, tile = net->k->tile_rows,
      panels = product_panels(net, s->l);
  int64_t bytes = (int64_t)rows * s->l->depth * (int64_t)sizeof(float);
  int parts = (int)((bytes + CACHED_BYTES - 1) / CACHED_BYTES); /* enough for the cache */
  if ((uint64_t)rows * s->l->weight_count < FEW_PRODUCTS)
    threads = 1;
  if (!reads_plane(s->l) && gathers_all(net, s)) /* each reads all filters */
    parts = (rows + block_rows(net) - 1) / block_rows(net);
  if (threads > 1) /* and for the threads */
    parts = max_int(parts, min_int(2 * threads, max_int(1, rows / (3 * tile))));
  s->row_parts = min_int(max_int(parts, 1), max_int(1, rows / tile));
  s->panel_parts = 1;
  if (s->row_parts < threads)
    s->panel_parts = min_int(panels, (2 * threads + s->row_parts - 1) / s->row_parts);
  s->pieces[0] = s->row_parts * s->panel_parts;
  if (s->l->before)
    s->scratch = (size_t)((rows + s->row_parts - 1) / s->row_parts) * (size_t)s->in_strides[0];
  else if (!reads_plane(s->l))
    s->scratch = (size_t)block_rows(net) * (size_t)s->l->depth;
}

/* ---- run ---- */

/* Rows of the left operand, as the kernel takes them: row m is `segments` runs of depth / segments
 * floats, which begin at at + m * stride and are `segment` floats apart. */
typedef struct view {
  const float *at;
  int segments;
  ptrdiff_t stride, segment;
} view;

/* The products of output cells first..first+rows-1, which `left` shows, with some panels. */
static void multiply_view(const network *net, const step *s, int first, int rows, range panels,
                          view left) {
  const layer *l = s->l;
  int columns = group_columns(net, l), per_group = group_panels(net, l), panel = panel_width(net);
  for (int p = panels.begin; p < panels.end; p++) {
    int group = p / per_group, column = p % per_group * panel, channel = group * columns + column;
    ptrdiff_t at = (ptrdiff_t)first * s->out_stride + channel;
    const float *residual = NULL;
    if (s->residual)
      residual = s->residual + at;
    net->k->product(
        rows, left.segments, l->depth / left.segments, left.at, left.stride, left.segment,
        l->weight + ((size_t)group * (size_t)columns + (size_t)column) * (size_t)l->depth,
        min_int(panel, columns - column), l->bias + channel, residual, s->out_stride, s->out + at,
        s->out_stride, l->finish);
  }
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

/* Some output cells, gathered a block at a time, in blocks as even as can be. */
static void multiply_gathered(const network *net, const step *s, range cells, range panels,
                              float *scratch) {
  int block = block_rows(net), per_group = group_panels(net, s->l);
  int all = cells.end - cells.begin, blocks = (all + block - 1) / block;
  const view left = {scratch, 1, s->l->depth, 0};
  for (int i = 0; i < blocks; i++) {
    const range part = part_of(all, i, blocks);
    int m = cells.begin + part.begin, rows = part.end - part.begin;
    for (int p = panels.begin; p < panels.end;) { /* group by group */
      int group = p / per_group, next = min_int(panels.end, (group + 1) * per_group);
      gather(s, group, m, rows, scratch);
      multiply_view(net, s, m, rows, (range){p, next}, left);
      p = next;
    }
  }
}

/* The cells of this output row whose kernel lies wholly inside the plane: they need no gathering.
 * If there are none, the empty range at the end of `row`. */
static range inner_cells(const step *s, range row) {
  const cam_node *node = s->l->node;
  const range none = {row.end, row.end};
  int y = row.begin / s->out_width, first = y * s->out_width; /* the cell of column 0 */
  int top = y * node->stride[0] - s->top, room = s->in_width + s->left - node->kernel[1];
  if (s->l->groups > 1 || s->in_strides[0] * node->kernel[0] * node->kernel[1] != s->l->depth)
    return none;
  if (top < 0 || top + node->kernel[0] > s->in_height || room < 0)
    return none;
  int from = (s->left + node->stride[1] - 1) / node->stride[1], /* the first such column */
      to = room / node->stride[1] + 1;                          /* the first after them */
  int begin = min_int(row.end, max_int(row.begin, first + from));
  return (range){begin, max_int(begin, min_int(row.end, first + to))};
}

/* Cells of one output row, whose kernels are inside the plane: as they lie. */
static void multiply_inner(const network *net, const step *s, range cells, range panels) {
  const cam_node *node = s->l->node;
  const ptrdiff_t cell = s->in_strides[0], plane_row = s->in_width * cell;
  if (cells.begin == cells.end)
    return;
  int y = cells.begin / s->out_width * node->stride[0] - s->top,
      x = cells.begin % s->out_width * node->stride[1] - s->left;
  const view left = {s->in[0] + y * plane_row + x * cell, node->kernel[0], node->stride[1] * cell,
                     plane_row};
  multiply_view(net, s, cells.begin, cells.end - cells.begin, panels, left);
}

/* A piece is a range of output cells times a range of panels of filters; pieces are disjoint and
 * write each output cell once, whatever runs beside them. Where the plane can be read as it lies,
 * its cells are the left operand of one product. Else each output row is cut in three: cells at the
 * left border, whose kernels stick out of the plane, are gathered into rows of scratch, with zeros
 * where there is no plane; inner cells are read where they lie; cells at the right border are
 * gathered. Rows whose kernels stick out above or below have no inner cells. Invariant: the three
 * ranges are the row, in order, so each cell is multiplied once. Where that would read too many
 * filters too often, all cells are gathered, in blocks of more than a row. */
static void product_run(const network *net, const step *s, int phase, int piece, float *scratch) {
  (void)phase;
  const layer *l = s->l;
  const range cells = part_of(s->out_height * s->out_width, piece % s->row_parts, s->row_parts),
              panels = part_of(product_panels(net, l), piece / s->row_parts, s->panel_parts);
  if (reads_plane(l)) {
    const ptrdiff_t cell = s->in_strides[0];
    view left = {s->in[0] + cells.begin * cell, 1, cell, 0};
    if (l->before) {
      affine_cells(net, s, l->before, cells.end - cells.begin, left.at, scratch);
      left.at = scratch;
    }
    multiply_view(net, s, cells.begin, cells.end - cells.begin, panels, left);
    return;
  }
  if (gathers_all(net, s)) {
    multiply_gathered(net, s, cells, panels, scratch);
    return;
  }
  range row = {cells.begin, cells.begin}; /* the cells of one output row at a time */
  while (row.end < cells.end) {
    row.begin = row.end;
    row.end = min_int(cells.end, (row.begin / s->out_width + 1) * s->out_width);
    const range inner = inner_cells(s, row);
    multiply_gathered(net, s, (range){row.begin, inner.begin}, panels, scratch);
    multiply_inner(net, s, inner, panels);
    multiply_gathered(net, s, (range){inner.end, row.end}, panels, scratch);
  }
}

const layer_type layer_product = {
    .name = "product",
    .finishes = true,
    .fits = product_fits,
    .prepare = product_prepare,
    .plan = product_plan,
    .run = product_run,
    .reads_picture = true,
    .adds = true,
};
