/* product_int8.c - a convolution in integers as a product of matrices: product.c over 8-bit levels.
 * Flow: forward -> [product_int8] -> kernels_int8. Thread: prepare and plan one, run any.
 *
 * Layout.
 *   k      counts the kernel's rows (segments), and within a row its cells x the bytes of a cell:
 *          all that a cell of the plane takes, or the channels of a merged group. What pads a cell
 *          meets weights of 0.
 *   right  panels [group][panel], as kernels_int8.pack_panel makes them, INT8_PANEL columns each,
 *          or INT8_CELL at the end of a group. Groups too narrow for a panel are merged, with zeros
 *          where a channel does not see another.
 *   left   the plane as it lies where the kernel is inside it, else rows gathered in scratch, with
 *          the input's zero point (of the picture: its mean) outside the plane.
 *
 * Pieces are output cells times panels, as in product.c. */
#include "cam_minmax.h"
#include "layers.h"
#include <stdlib.h>
#include <string.h>

enum {
  CACHED_BYTES = 256 << 10,   /* of the left operand */
  CACHED_WEIGHTS = 512 << 10, /* bytes of filters that stay in the cache while rows pass */
  FEW_PRODUCTS = 1 << 16,     /* in a step: not worth a team's waiting for each other */
  BLOCK_TILES = 5             /* register tiles of a gathered block */
};

static bool product_int8_fits(const network *net, const cam_node *node) {
  (void)net;
  return node->op == OP_CONV;
}

/* ---- geometry ---- */

static bool is_pointwise_step(const cam_node *node) {
  return node->kernel[0] == 1 && node->kernel[1] == 1 && node->stride[0] == 1 &&
         node->stride[1] == 1 && !node->pads[0] && !node->pads[1] && !node->pads[2] &&
         !node->pads[3];
}

bool is_plain_product_int8(const layer *l) {
  return l->type == &layer_product_int8 && is_pointwise_step(l->node) && l->node->groups == 1;
}

static bool lies_in_plane(const layer *l) { return is_pointwise_step(l->node) && l->groups == 1; }

static int merged_columns(const layer *l) {
  return level_stride(l->merged * (l->channels / l->node->groups));
}
static int panels_a_group(const layer *l) {
  return (merged_columns(l) + INT8_PANEL - 1) / INT8_PANEL;
}
static int panels_of(const layer *l) { return l->groups * panels_a_group(l); }

/* Columns of a group's panel p. */
static int panel_columns(const layer *l, int p) {
  return min_int(INT8_PANEL, merged_columns(l) - p * INT8_PANEL);
}

/* Bytes from cell to cell of what the node reads. */
static int source_stride(const cam_node *node, int channels) {
  if (node->inputs[0] == GRAPH_INPUT)
    return channels;
  return level_stride(channels);
}

/* As few groups as fill whole cells of INT8_CELL columns, or all; the last merged one may lack some
 * where planes have room for its zeros. */
static int groups_to_merge(const cam_node *node) {
  const int in_group = (int)node->weight->shape[2], out_group = node->channels / node->groups;
  const int stride = source_stride(node, in_group * node->groups),
            out_stride = level_stride(node->channels);
  int merged = 1;
  for (; merged < node->groups; merged++) {
    const int count = (node->groups + merged - 1) / merged;
    const bool is_whole = out_group * merged % INT8_CELL == 0;
    const bool is_inside = count * merged == node->groups ||
                           (count * merged * in_group <= stride &&
                            count * merged * out_group <= out_stride);
    if (is_whole && is_inside && (node->inputs[0] >= 0 || count * merged == node->groups))
      break;
  }
  return merged;
}

/* ---- weights ---- */

/* Where the packed panels of a group begin, and their panel p. */
static size_t group_bytes(const network *net, const layer *l) {
  const int depth = l->node->kernel[1] * l->int8->cell_bytes, segments = l->node->kernel[0];
  const int whole = panels_a_group(l) - 1;
  return (size_t)whole * net->k8->panel_bytes(segments, depth, INT8_PANEL) +
         net->k8->panel_bytes(segments, depth, panel_columns(l, whole));
}
static uint8_t *panel_of(const network *net, const layer *l, int group, int p) {
  const int depth = l->node->kernel[1] * l->int8->cell_bytes;
  return (uint8_t *)l->int8->weight + (size_t)group * group_bytes(net, l) +
         (size_t)p * net->k8->panel_bytes(l->node->kernel[0], depth, INT8_PANEL);
}

/* A merged group's weights [cells of the kernel, cell_bytes][columns]; 0 where a channel does not
 * see another. */
static void spread_group(const layer *l, int group, int8_t *out) {
  const cam_node *node = l->node;
  const int in_group = (int)node->weight->shape[2], out_group = l->channels / node->groups;
  const int cells = node->kernel[0] * node->kernel[1], columns = merged_columns(l);
  const int first = group * l->merged * out_group,
            end = min_int(l->channels, first + l->merged * out_group);
  memset(out, 0, (size_t)cells * (size_t)l->int8->cell_bytes * (size_t)columns);
  for (int cell = 0; cell < cells; cell++)
    for (int a = 0; a < in_group; a++) {
      const int8_t *from = node->weight->bytes +
                           ((size_t)cell * (size_t)in_group + (size_t)a) * (size_t)l->channels;
      for (int c = first; c < end; c++) {
        const int within = c / out_group - group * l->merged;
        const size_t k = (size_t)cell * (size_t)l->int8->cell_bytes +
                         (size_t)(within * in_group + a);
        out[k * (size_t)columns + (size_t)(c - first)] = from[c];
      }
    }
}

static cam_code pack_groups(const network *net, layer *l, cam_error *error) {
  const int segments = l->node->kernel[0], depth = l->node->kernel[1] * l->int8->cell_bytes;
  const int columns = merged_columns(l);
  int8_t *spread = malloc((size_t)segments * (size_t)depth * (size_t)columns);
  if (!spread)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory to pack its weights",
                    l->node->name);
  for (int group = 0; group < l->groups; group++) {
    spread_group(l, group, spread);
    for (int p = 0; p < panels_a_group(l); p++)
      net->k8->pack_panel(spread + p * INT8_PANEL, columns, segments, depth, panel_columns(l, p),
                          panel_columns(l, p), panel_of(net, l, group, p));
  }
  free(spread);
  return CAM_OK;
}

/* What a gathered row has outside the plane: a cell of it. */
static cam_code make_padding(const network *net, layer *l, cam_error *error) {
  const int input = l->node->inputs[0], bytes = l->int8->cell_bytes;
  l->int8->padding = calloc((size_t)bytes, 1);
  if (!l->int8->padding)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory for its padding",
                    l->node->name);
  for (int i = 0; i < bytes; i++)
    l->int8->padding[i] = quantized_padding(net->graph, input, i % 3); /* the picture has 3 */
  return CAM_OK;
}

static cam_code product_int8_prepare(const network *net, layer *l, cam_error *error) {
  const cam_node *node = l->node;
  const int in_group = (int)node->weight->shape[2];
  l->merged = groups_to_merge(node);
  l->groups = (node->groups + l->merged - 1) / l->merged;
  l->int8->cell_bytes = in_group * l->merged;
  if (l->groups == 1 && node->kernel[0] * node->kernel[1] > 1)
    l->int8->cell_bytes = source_stride(node, in_group * node->groups);
  l->depth = node->kernel[0] * node->kernel[1] * l->int8->cell_bytes;
  cam_code code = prepare_int8(net, l, error);
  if (!code)
    code = packed_int8(net, l, (size_t)l->groups * group_bytes(net, l), error);
  if (!code)
    code = pack_groups(net, l, error);
  if (!code)
    code = make_padding(net, l, error);
  return code;
}

/* ---- plan ---- */

static int gathered_rows(const network *net) { return BLOCK_TILES * net->k8->tile_rows; }

/* Do cells that are neighbours in a row of the plane lie side by side, as the kernel's weights do?
 */
static bool lies_as_packed(const step *s) {
  return s->l->groups == 1 &&
         (s->l->node->kernel[1] == 1 || s->l->int8->cell_bytes == s->in_strides[0]);
}

/* Are rows shorter than the tiles of a product; or so short that filters would be read again for
 * each row, and are these many, or rows quickly gathered, a cell each? */
static bool gathers_all_levels(const network *net, const step *s) {
  const cam_node *node = s->l->node;
  const bool is_short = s->out_width < net->k8->tile_rows;
  const bool is_narrow = s->out_width < gathered_rows(net);
  const bool is_one_cell = node->kernel[0] * node->kernel[1] == 1;
  return !lies_as_packed(s) || is_short ||
         (is_narrow && (is_one_cell || s->l->int8->weight_bytes > CACHED_WEIGHTS));
}

static void product_int8_plan(const network *net, step *s, int threads) {
  const layer *l = s->l;
  const int rows = s->out_height * s->out_width, tile = net->k8->tile_rows, panels = panels_of(l);
  const int64_t bytes = (int64_t)rows * l->depth;
  int parts = (int)((bytes + CACHED_BYTES - 1) / CACHED_BYTES); /* enough for the cache */
  if ((uint64_t)rows * l->int8->weight_bytes < FEW_PRODUCTS)
    threads = 1;
  if (!lies_in_plane(l) && gathers_all_levels(net, s))
    parts = (rows + gathered_rows(net) - 1) / gathered_rows(net);
  if (threads > 1) /* and for the threads */
    parts = max_int(parts, min_int(2 * threads, max_int(1, rows / (3 * tile))));
  s->row_parts = min_int(max_int(parts, 1), max_int(1, rows / tile));
  if (!lies_in_plane(l) && !gathers_all_levels(net, s)) /* pieces of whole rows */
    s->row_parts = min_int(s->row_parts, s->out_height);
  s->panel_parts = 1;
  if (s->row_parts < threads)
    s->panel_parts = min_int(panels, (2 * threads + s->row_parts - 1) / s->row_parts);
  s->pieces[0] = s->row_parts * s->panel_parts;
  if (!lies_in_plane(l))
    s->scratch = ((size_t)gathered_rows(net) * (size_t)l->depth + INT8_BEHIND) / sizeof(float) + 1;
}

/* ---- run ---- */

/* Rows of the left operand: row m is the kernel's rows, `segment` bytes apart, from at + m * stride
 * on. */
typedef struct level_view {
  const uint8_t *at;
  ptrdiff_t stride, segment;
} level_view;

/* From this channel on. */
static requantization from_channel(const requantization *q, int channel) {
  requantization part = *q;
  part.multiplier += channel;
  part.bias += channel;
  return part;
}

/* Output cells first, first + step, ... */
typedef struct level_cells {
  int first, n, step;
} level_cells;

static level_cells cells_in(range cells) {
  return (level_cells){cells.begin, cells.end - cells.begin, 1};
}
static level_cells some_of(level_cells cells, range part) {
  return (level_cells){cells.first + part.begin * cells.step, part.end - part.begin, cells.step};
}

static void multiply_levels_of(const network *net, const step *s, level_cells cells, range panels,
                               level_view left) {
  const layer *l = s->l;
  const int per_group = panels_a_group(l), segments = l->node->kernel[0];
  const ptrdiff_t stride = (ptrdiff_t)cells.step * s->out_stride;
  for (int p = panels.begin; p < panels.end; p++) {
    const int group = p / per_group, within = p % per_group;
    const int channel = group * merged_columns(l) + within * INT8_PANEL;
    const ptrdiff_t at = (ptrdiff_t)cells.first * s->out_stride + channel;
    const requantization q = from_channel(&l->int8->q, channel);
    const uint8_t *residual = NULL;
    if (s->residual8)
      residual = s->residual8 + at;
    net->k8->product(cells.n, segments, l->depth / segments, left.at, left.stride, left.segment,
                     panel_of(net, l, group, within), panel_columns(l, within), &q, residual,
                     stride, s->out8 + at, stride);
  }
}

void multiply_level_cells(const network *net, const layer *l, int n, const uint8_t *a, int a_stride,
                          const uint8_t *residual, int residual_stride, uint8_t *out,
                          int out_stride) {
  for (int p = 0; p < panels_of(l); p++) {
    const requantization q = from_channel(&l->int8->q, p * INT8_PANEL);
    const uint8_t *other = NULL;
    if (residual)
      other = residual + p * INT8_PANEL;
    net->k8->product(n, 1, l->depth, a, a_stride, 0, panel_of(net, l, 0, p), panel_columns(l, p),
                     &q, other, residual_stride, out + p * INT8_PANEL, out_stride);
  }
}

static uint8_t *put_padding(const layer *l, int cells, uint8_t *out) {
  const size_t bytes = (size_t)l->int8->cell_bytes;
  for (int j = 0; j < cells; j++, out += bytes)
    memcpy(out, l->int8->padding, bytes);
  return out;
}

/* Cells of one group, side by side; in the plane they may be further apart. */
static uint8_t *put_cells(const step *s, const uint8_t *from, int cells, uint8_t *out) {
  const ptrdiff_t bytes = s->l->int8->cell_bytes, apart = s->in_strides[0];
  if (bytes == apart) {
    memcpy(out, from, (size_t)(cells * bytes));
    return out + cells * bytes;
  }
  for (int j = 0; j < cells; j++, out += bytes)
    memcpy(out, from + j * apart, (size_t)bytes);
  return out;
}

/* A row of the kernel at row y of the plane, from column x on, of one group. */
static void gather_row(const step *s, int group, int y, int x, uint8_t *out) {
  const layer *l = s->l;
  const int breadth = l->node->kernel[1];
  int begin = min_int(max_int(-x, 0), breadth); /* of the cells inside the plane */
  int end = max_int(begin, min_int(s->in_width - x, breadth));
  if (y < 0 || y >= s->in_height)
    begin = end = breadth;
  out = put_padding(l, begin, out);
  if (begin < end) {
    const ptrdiff_t cell = (ptrdiff_t)y * s->in_width + x + begin;
    const uint8_t *plane = s->in8[0] + group * l->int8->cell_bytes;
    out = put_cells(s, plane + cell * s->in_strides[0], end - begin, out);
  }
  put_padding(l, breadth - end, out);
}

/* The input cells under the kernel at these output cells, as rows of [depth]. */
static void gather_levels(const step *s, int group, level_cells cells, uint8_t *out) {
  const cam_node *node = s->l->node;
  const int row_bytes = node->kernel[1] * s->l->int8->cell_bytes;
  for (int r = 0, cell = cells.first; r < cells.n; r++, cell += cells.step) {
    const int y = cell / s->out_width * node->stride[0] - s->top,
              x = cell % s->out_width * node->stride[1] - s->left;
    for (int i = 0; i < node->kernel[0]; i++, out += row_bytes)
      gather_row(s, group, y + i, x, out);
  }
}

static void multiply_gathered_levels(const network *net, const step *s, level_cells cells,
                                     range panels, uint8_t *scratch) {
  const layer *l = s->l;
  const int block = gathered_rows(net), per_group = panels_a_group(l);
  const int blocks = (cells.n + block - 1) / block;
  const level_view left = {scratch, l->depth, l->depth / l->node->kernel[0]};
  for (int i = 0; i < blocks; i++) {
    const level_cells part = some_of(cells, part_of(cells.n, i, blocks));
    for (int p = panels.begin; p < panels.end;) { /* group by group */
      const int group = p / per_group, next = min_int(panels.end, (group + 1) * per_group);
      gather_levels(s, group, part, scratch);
      multiply_levels_of(net, s, part, (range){p, next}, left);
      p = next;
    }
  }
}

/* The outputs along one side, `input` long, whose kernels lie wholly inside the plane; none: an
 * empty range. */
static range outputs_inside(const cam_node *node, int axis, int input, int before, int outputs) {
  const int stride = node->stride[axis], room = input + before - node->kernel[axis];
  if (room < 0)
    return (range){outputs, outputs};
  const int begin = min_int(outputs, (before + stride - 1) / stride);
  return (range){begin, max_int(begin, min_int(outputs, room / stride + 1))};
}

/* Columns x of output row y, whose kernels are inside the plane. */
static void multiply_inner_levels(const network *net, const step *s, int y, range x, range panels) {
  const cam_node *node = s->l->node;
  const ptrdiff_t cell = s->in_strides[0], plane_row = s->in_width * cell;
  const int row = y * node->stride[0] - s->top, column = x.begin * node->stride[1] - s->left;
  const level_view left = {s->in8[0] + row * plane_row + column * cell, node->stride[1] * cell,
                           plane_row};
  const int first = y * s->out_width;
  if (x.begin < x.end)
    multiply_levels_of(net, s, cells_in((range){first + x.begin, first + x.end}), panels, left);
}

/* Output rows of any number. Those whose kernels stick out above or below are gathered; so are, of
 * the others, the columns at both borders, each of all rows at once: a cell or two of a row are too
 * few for a product. What is inside is read as it lies. */
static void multiply_rows_of_levels(const network *net, const step *s, range rows, range panels,
                                    uint8_t *scratch) {
  const range inside = outputs_inside(s->l->node, 0, s->in_height, s->top, s->out_height);
  const range columns = outputs_inside(s->l->node, 1, s->in_width, s->left, s->out_width);
  const int width = s->out_width, begin = min_int(max_int(rows.begin, inside.begin), rows.end),
            end = max_int(begin, min_int(rows.end, inside.end));
  multiply_gathered_levels(net, s, cells_in((range){rows.begin * width, begin * width}), panels,
                           scratch);
  multiply_gathered_levels(net, s, cells_in((range){end * width, rows.end * width}), panels,
                           scratch);
  for (int x = 0; x < width; x++)
    if (x < columns.begin || x >= columns.end)
      multiply_gathered_levels(net, s, (level_cells){begin * width + x, end - begin, width}, panels,
                               scratch);
  for (int y = begin; y < end; y++)
    multiply_inner_levels(net, s, y, columns, panels);
}

/* As product_run: the plane as it lies; or gathered; or as much of it as can be as it lies. */
static void product_int8_run(const network *net, const step *s, int phase, int piece,
                             float *scratch) {
  const layer *l = s->l;
  uint8_t *bytes = (uint8_t *)scratch;
  const int row_part = piece % s->row_parts;
  const range cells = part_of(s->out_height * s->out_width, row_part, s->row_parts),
              panels = part_of(panels_of(l), piece / s->row_parts, s->panel_parts);
  (void)phase;
  if (lies_in_plane(l)) {
    const ptrdiff_t cell = s->in_strides[0];
    const level_view left = {s->in8[0] + cells.begin * cell, cell, 0};
    multiply_levels_of(net, s, cells_in(cells), panels, left);
  } else if (gathers_all_levels(net, s)) {
    multiply_gathered_levels(net, s, cells_in(cells), panels, bytes);
  } else {
    multiply_rows_of_levels(net, s, part_of(s->out_height, row_part, s->row_parts), panels, bytes);
  }
}

const layer_type layer_product_int8 = {
    .name = "product8",
    .fits = product_int8_fits,
    .prepare = product_int8_prepare,
    .plan = product_int8_plan,
    .run = product_int8_run,
    .reads_picture = true,
};
