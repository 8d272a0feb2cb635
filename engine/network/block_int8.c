/* block_int8.c - block.c over 8-bit levels: [expand 1x1 ->] depthwise [-> project 1x1 (+ residual)]
 * as one layer, a band of output rows at a time. Flow: forward -> [block_int8] -> kernels_int8.
 * Thread: prepare and plan one, run any.
 *
 * Layout of a piece's scratch, in bytes:
 *   ring      [slots] laid rows (kernels_int8.lay); input row r is in slot r % slots;
 *   zeros     one more, of the zero point, for rows outside the plane;
 *   filtered  [rows of a band, out_width, channels], where the block projects;
 *   cells     [slots, in_width, channels]: rows that are expanded, before they are laid.
 *
 * Invariant. Before a band is filtered, the `slots` input rows that it sees are in the ring. Pieces
 * are ranges of output rows with a ring each: rows that two pieces need are expanded twice. */
#include "cam_minmax.h"
#include "layers.h"

enum {
  LEVEL_BAND_BYTES = 192 << 10, /* ring and filtered rows of a band together */
  MOST_BAND_ROWS = 16,
  MOST_KERNEL_ROWS = 64,
  MOST_SLOTS = (MOST_BAND_ROWS - 1) * 64 + MOST_KERNEL_ROWS
};

static bool expands_levels(const layer *l) { return l->parts[0].type != &layer_depthwise_int8; }

/* NULL: the block does not expand, or project. */
static const layer *level_expand_of(const layer *l) {
  if (expands_levels(l))
    return &l->parts[0];
  return NULL;
}
static const layer *level_filter_of(const layer *l) { return &l->parts[expands_levels(l)]; }
static const layer *level_project_of(const layer *l) {
  if (level_filter_of(l) == &l->parts[l->n_parts - 1])
    return NULL;
  return &l->parts[l->n_parts - 1];
}

/* The depthwise part's input has the step's input size (both 1x1 parts keep it), its output the
 * step's. */
typedef struct level_band {
  depthwise_shape shape;
  int channels, cells; /* of the ring: bytes of a cell; cells of a laid row */
  size_t laid_row, filtered_row;
  int rows, slots; /* output rows of a band; rows of the ring, without that of the zero point */
  int top;
} level_band;

static level_band band_of(const network *net, const step *s) {
  const layer *filter = level_filter_of(s->l);
  int unused;
  const int left = node_padding(filter->node, 1, s->in_width, &unused);
  level_band b = {.channels = level_stride(filter->channels),
                  .shape = int8_filter_shape(filter->node, left)};
  b.top = node_padding(filter->node, 0, s->in_height, &unused);
  b.cells = net->k8->laid_cells(&b.shape, s->out_width);
  b.laid_row = (size_t)b.cells * (size_t)b.channels;
  b.filtered_row = (size_t)s->out_width * (size_t)b.channels;
  const int64_t fixed = (int64_t)(b.shape.height - b.shape.down) * (int64_t)b.laid_row;
  const int64_t per_row = (int64_t)b.shape.down * (int64_t)b.laid_row + (int64_t)b.filtered_row;
  const int64_t fit = (LEVEL_BAND_BYTES - fixed) / per_row;
  b.rows = (int)max_int64(1, min_int64(fit, min_int(MOST_BAND_ROWS, s->out_height)));
  b.slots = (b.rows - 1) * b.shape.down + b.shape.height;
  return b;
}

static cam_code block_int8_prepare(const network *net, layer *l, cam_error *error) {
  cam_code code = CAM_OK;
  for (int i = 0; i < l->n_parts && !code; i++)
    code = l->parts[i].type->prepare(net, &l->parts[i], error);
  return code;
}

static void block_int8_plan(const network *net, step *s, int threads) {
  const level_band b = band_of(net, s);
  const size_t cells = (size_t)b.slots * (size_t)s->in_width * (size_t)b.channels;
  const size_t bytes = (size_t)(b.slots + 1) * b.laid_row + (size_t)b.rows * b.filtered_row + cells;
  s->pieces[0] = pieces_by_rows(s, threads);
  s->scratch = (bytes + sizeof(float) - 1) / sizeof(float);
}

/* Where a piece's scratch has what. */
typedef struct level_scratch {
  uint8_t *ring, *zeros, *filtered, *cells;
} level_scratch;

static level_scratch share_scratch(const level_band *b, float *scratch) {
  level_scratch at = {.ring = (uint8_t *)scratch};
  at.zeros = at.ring + (size_t)b->slots * b->laid_row;
  at.filtered = at.zeros + b->laid_row;
  at.cells = at.filtered + (size_t)b->rows * b->filtered_row;
  return at;
}

/* Input rows from `made` on, up to what output row `last` sees, into the ring. Returns the first
 * row that is not there. */
static int fill_level_ring(const network *net, const step *s, const level_band *b, int made,
                           int last, const level_scratch *at) {
  const layer *expand = level_expand_of(s->l);
  const int zero = int8_filter_zero(net, level_filter_of(s->l));
  const int end = min_int(s->in_height, last * b->shape.down - b->top + b->shape.height);
  const ptrdiff_t in_row = (ptrdiff_t)s->in_width * s->in_strides[0];
  const uint8_t *from = s->in8[0] + made * in_row;
  if (expand && made < end) {
    multiply_level_cells(net, expand, (end - made) * s->in_width, from, s->in_strides[0], NULL, 0,
                         at->cells, b->channels);
    from = at->cells;
  }
  const ptrdiff_t from_row = (ptrdiff_t)s->in_width * b->channels;
  for (; made < end; made++, from += from_row)
    net->k8->lay(&b->shape, from, s->in_width, b->cells, b->channels, zero,
                 at->ring + (size_t)(made % b->slots) * b->laid_row);
  return made;
}

/* Output rows first..first+n-1 of the depthwise part. */
static void filter_level_rows(const network *net, const step *s, const level_band *b, int first,
                              int n, const level_scratch *at, uint8_t *out) {
  const layer *filter = level_filter_of(s->l);
  const uint8_t *rows[MOST_SLOTS];
  for (int i = 0; i < (n - 1) * b->shape.down + b->shape.height; i++) {
    const int row = first * b->shape.down - b->top + i;
    rows[i] = at->zeros;
    if (row >= 0 && row < s->in_height)
      rows[i] = at->ring + (size_t)(row % b->slots) * b->laid_row;
  }
  net->k8->depthwise(&b->shape, rows, n, s->out_width, b->cells, b->channels,
                     int8_filter_for(net, filter, b->shape.left), &filter->int8->q, out,
                     (ptrdiff_t)b->filtered_row);
}

static void block_int8_run(const network *net, const step *s, int phase, int piece,
                           float *scratch) {
  const level_band b = band_of(net, s);
  const level_scratch at = share_scratch(&b, scratch);
  const layer *project = level_project_of(s->l);
  const range out = part_of(s->out_height, piece, s->pieces[0]);
  int made = max_int(0, out.begin * b.shape.down - b.top);
  (void)phase;
  net->k8->lay(&b.shape, NULL, 0, b.cells, b.channels, int8_filter_zero(net, level_filter_of(s->l)),
               at.zeros);
  for (int first = out.begin; first < out.end; first += b.rows) {
    const int n = min_int(out.end - first, b.rows);
    const ptrdiff_t from = (ptrdiff_t)first * s->out_width * s->out_stride;
    uint8_t *filtered = at.filtered;
    if (!project)
      filtered = s->out8 + from;
    made = fill_level_ring(net, s, &b, made, first + n - 1, &at);
    filter_level_rows(net, s, &b, first, n, &at, filtered);
    const uint8_t *residual = NULL;
    if (s->residual8)
      residual = s->residual8 + from;
    if (project)
      multiply_level_cells(net, project, n * s->out_width, filtered, b.channels, residual,
                           s->out_stride, s->out8 + from, s->out_stride);
  }
}

const layer_type layer_block_int8 = {
    .name = "block8",
    .prepare = block_int8_prepare,
    .plan = block_int8_plan,
    .run = block_int8_run,
    .adds = true,
};
