/* kernels_int8.c - kernels_int8.h, compiled once per instruction set (KERNELS_ISA names it,
 * KERNELS_INT8 is the table's symbol); what differs is in kernels_int8_vector.h. Compiled without
 * contraction: a multiplication and an addition round twice on every machine.
 *
 * Register budget of `product`: ROWS x VECTORS sums, VECTORS vectors of weights, and what stands
 * for 4 bytes of a row: 14 x 2 + 2 + 1 of 32 registers with AVX-512 and VNNI, 14 being what today's
 * planes of 7, 14, 28 and 56 cells a side divide into best; without VNNI 12 x 2 + 2 + 1, and room
 * for halves and products; 6 x 2 + 2 + 1, and without VNNI a product, of 16 with AVX2 and SSE2;
 * 5 x 4 + 4 + 1 with NEON, whose loads take what is left. */
#include "kernels_int8.h"
#include "cam_minmax.h"
#include "kernels_int8_vector.h"
#include <stdbool.h>
#if defined __AMX_INT8__
#include "kernels_int8_amx.h"
#endif

#if defined __AVX512VNNI__
#define ROWS 14
enum { VECTORS = 2 };
#elif defined __AVX512BW__
#define ROWS 12
enum { VECTORS = 2 };
#elif defined __ARM_NEON
#define ROWS 5
enum { VECTORS = 4 };
#else
#define ROWS 6
enum { VECTORS = 2 };
#endif

#if defined __AMX_INT8__
enum { DEPTH_UNIT = TILE_BYTES, PRODUCT_ROWS = 2 * TILE_ROWS };
#else
enum { DEPTH_UNIT = 4, PRODUCT_ROWS = ROWS };
#endif
enum { ALIGNMENT = 64 };

static size_t whole_lines(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }
static int quads_of(int bytes) { return (bytes + 3) / 4; }

/* ---- bytes ---- */

INLINE bounds bounds_of(const int8_range *range) {
  return (bounds){.zero = splat_word(range->zero),
                  .low = splat_byte(range->low),
                  .high = splat_byte(range->high),
                  .is_bare = range->zero == 0 && range->low == 0 && range->high == UINT8_MAX};
}

/* table NULL: they stay as they are. */
static void look_up_rows(const uint8_t *table, int rows, ptrdiff_t stride, size_t n, uint8_t *p) {
  if (!table)
    return;
  const whole_table whole = load_table(table);
  for (int i = 0; i < rows; i++, p += stride)
    look_up_run(&whole, p, n, p);
}

static void look_up_bytes(const uint8_t *in, size_t n, const uint8_t *table, uint8_t *out) {
  const whole_table whole = load_table(table);
  look_up_run(&whole, in, n, out);
}

/* LANES values of an output, from its value i on. */
typedef reals make_values(const void *from, size_t i);

/* n values, a multiple of LANES. */
INLINE void put_values(make_values *const make, const void *from, size_t n, const int8_range *range,
                       uint8_t *out) {
  const bounds o = bounds_of(range);
  const reals huge = splat_real(0x1p30f); /* f may be larger, which no whole number may */
  size_t i = 0;
  for (; i + BYTES <= n; i += BYTES) {
    reals f[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++)
      f[j] = lower_of(make(from, i + j * LANES), huge);
    store_quads(out + i, bytes_of(f[0], f[1], f[2], f[3], &o));
  }
  for (; i < n; i += LANES) {
    const reals f = lower_of(make(from, i), huge);
    store_quarters(bytes_of(f, f, f, f, &o),
                   (uint8_t *const[]){out + i, out + i, out + i, out + i});
  }
  look_up_rows(range->table, 1, 0, n, out);
}

/* ---- product: register tiles of up to ROWS x VECTORS ----
 * A panel is columns of VECTORS vectors, or of one where there are no more, side by side: of each,
 * for each quad of k, its vectors of PARTS each. A run's k go on to a multiple of DEPTH_UNIT, with
 * 0. Before all, where SHIFTED, stand the corrections of all columns. */

/* Of a run in a panel. */
static int panel_quads(int depth) { return (depth + DEPTH_UNIT - 1) / DEPTH_UNIT * DEPTH_UNIT / 4; }
static int tile_columns(int n) { return min_int(n, VECTORS * LANES); }

static size_t corrections_bytes(int n) {
  if (!SHIFTED)
    return 0;
  return whole_lines((size_t)n * sizeof(int32_t));
}

static size_t tile_bytes(int segments, int depth, int n) {
  return (size_t)segments * (size_t)panel_quads(depth) * (size_t)tile_columns(n) * 4 * PARTS;
}

static size_t panel_size(int segments, int depth, int n) {
  size_t tiles = (size_t)(n / tile_columns(n));
  return whole_lines(corrections_bytes(n) + tiles * tile_bytes(segments, depth, n));
}

static void pack_column(const int8_t *w, ptrdiff_t w_stride, int segments, int depth, int vectors,
                        int lane, uint8_t *to) {
  for (int s = 0; s < segments; s++)
    for (int k = 0; k < depth; k++, w += w_stride) {
      ptrdiff_t quad = (ptrdiff_t)s * panel_quads(depth) + k / 4;
      put_weight(to + quad * vectors * PARTS * BYTES, lane, k % 4, *w);
    }
}

static int32_t correction_of(const int8_t *w, ptrdiff_t w_stride, int n) {
  int32_t sum = 0;
  for (int k = 0; k < n; k++)
    sum += w[k * w_stride];
  return 128 * sum;
}

static void pack_weights(const int8_t *w, ptrdiff_t w_stride, int segments, int depth, int columns,
                         int n, void *panel) {
  const int width = tile_columns(n), vectors = width / LANES;
  const size_t bytes = tile_bytes(segments, depth, n);
  int32_t *corrections = panel;
  uint8_t *tiles = (uint8_t *)panel + corrections_bytes(n);
  memset(panel, 0, panel_size(segments, depth, n));
  for (int c = 0; c < columns; c++) {
    uint8_t *to = tiles + (size_t)(c / width) * bytes + c % width / LANES * PARTS * BYTES;
    pack_column(w + c, w_stride, segments, depth, vectors, c % LANES, to);
    if (SHIFTED)
      corrections[c] = correction_of(w + c, w_stride, segments * depth);
  }
}

/* A tile's. */
typedef struct factors {
  int segments, depth;
  const uint8_t *a;
  ptrdiff_t a_stride, a_segment;
  const uint8_t *weights;
  const uint8_t *coming; /* weights that are needed soon: this many bytes of them a quad */
  ptrdiff_t coming_step;
  const float *multiplier;
  const int32_t *bias, *corrections;
  bounds bounds;
  const uint8_t *table, *residual; /* or NULL */
  ptrdiff_t residual_stride;
  reals residual_multiplier;
  lanes residual_zero;
  uint8_t *out;
  ptrdiff_t out_stride;
} factors;

INLINE lanes first_sums(const int32_t *bias, const int32_t *corrections, ptrdiff_t at) {
  if (SHIFTED)
    return load_lanes(bias + at) + load_lanes(corrections + at);
  return load_lanes(bias + at);
}

INLINE reals tile_values(const factors *o, lanes sum, int row, int vector, const bool adds) {
  reals f = reals_of(sum) * load_reals(o->multiplier + vector * LANES);
  if (adds) {
    const uint8_t *at = o->residual + row * o->residual_stride + vector * LANES;
    f = f + reals_of(load_bytes(at) - o->residual_zero) * o->residual_multiplier;
  }
  return f;
}

/* The 4 vectors of values of 4 rows, 2 rows or one, which begin at these places, as bytes. */
INLINE void put_tile_values(const factors *o, const reals f[4], uint8_t *const to[4],
                            const int vectors) {
  const quads bytes = bytes_of(f[0], f[1], f[2], f[3], &o->bounds);
  if (vectors == 1)
    store_quarters(bytes, to);
  else if (vectors == 2)
    store_halves(bytes, to[0], to[2]);
  else
    store_quads(to[0], bytes);
}

/* Where rows run out, the last one is written again. */
INLINE void finish_tile(const factors *o, lanes sum[ROWS][VECTORS], const int rows,
                        const int vectors, const bool adds) {
#pragma GCC unroll 14
  for (int i = 0; i < rows; i += 4 / vectors) {
    reals f[4];
    uint8_t *to[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      const int row = min_int(i + j / vectors, rows - 1);
      f[j] = tile_values(o, sum[row][j % vectors], row, j % vectors, adds);
      to[j] = o->out + row * o->out_stride;
    }
    put_tile_values(o, f, to, vectors);
  }
}

/* Quads of k in a turn of the loop. More than one where the loop's registers leave room: without
 * VNNI gcc spills sums. */
#if defined __AVX512VNNI__ || defined __AVXVNNI__
enum { QUADS_A_TURN = 2 };
#else
enum { QUADS_A_TURN = 1 };
#endif

/* a: 4 bytes of the first row. */
INLINE void multiply_quad(const factors *o, const uint8_t *a, const uint8_t *weights,
                          lanes sum[ROWS][VECTORS], const int rows, const int vectors) {
#pragma GCC unroll 2
  for (int part = 0; part < PARTS; part++) {
    quads right[VECTORS];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++)
      right[j] = load_quads(weights + (j * PARTS + part) * BYTES);
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
      const quads left = part_of_quads(repeat_quad(a + i * o->a_stride), part);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; j++)
        sum[i][j] = dot(sum[i][j], left, right[j]);
    }
  }
}

/* These weights were asked for while the columns before were multiplied; now those that come next
 * are, into the second-level cache: see multiply_columns(). Loads are dear in this loop, with
 * AVX-512 above all, whose clock falls with what there is to do in a cycle: no others are made. */
INLINE void multiply_tile(const factors *o, const int rows, const int vectors) {
  lanes sum[ROWS][VECTORS];
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++)
      sum[i][j] = first_sums(o->bias, o->corrections, j * LANES);
  const ptrdiff_t quad_bytes = vectors * PARTS * BYTES;
  const uint8_t *weights = o->weights, *coming = o->coming, *segment = o->a;
  for (int s = 0; s < o->segments; s++, segment += o->a_segment) {
    const uint8_t *a = segment;
    int quads_left = quads_of(o->depth);
    for (; quads_left >= QUADS_A_TURN; quads_left -= QUADS_A_TURN) {
      __builtin_prefetch(coming, 0, 2);
      coming += QUADS_A_TURN * o->coming_step;
#pragma GCC unroll 2
      for (int i = 0; i < QUADS_A_TURN; i++, a += 4, weights += quad_bytes)
        multiply_quad(o, a, weights, sum, rows, vectors);
    }
    for (; quads_left > 0; quads_left--, a += 4, weights += quad_bytes)
      multiply_quad(o, a, weights, sum, rows, vectors);
    weights += (panel_quads(o->depth) - quads_of(o->depth)) * quad_bytes;
  }
  if (o->residual)
    finish_tile(o, sum, rows, vectors, true);
  else
    finish_tile(o, sum, rows, vectors, false);
}

/* clang-format off */
#define TILE(rows, vectors) \
  static void int8_tile_##rows##_##vectors(const factors *o) { multiply_tile(o, rows, vectors); }
#define LOW_TILES(vectors) \
  TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors)
#if ROWS >= 12
#define TILES(vectors) \
  LOW_TILES(vectors) \
  TILE(6, vectors) TILE(7, vectors) TILE(8, vectors) TILE(9, vectors) TILE(10, vectors) \
  TILE(11, vectors) TILE(12, vectors)
TILES(1)
TILES(2)
#if ROWS == 14
TILE(13, 1) TILE(14, 1) TILE(13, 2) TILE(14, 2)
#endif
#define ENTRY(rows) {int8_tile_##rows##_1, int8_tile_##rows##_2}
#elif ROWS == 6
LOW_TILES(2)
TILE(6, 2)
#define ENTRY(rows) {NULL, int8_tile_##rows##_2}
#else
LOW_TILES(4)
#define ENTRY(rows) {NULL, int8_tile_##rows##_4}
#endif
static void (*const int8_tiles[ROWS][2])(const factors *) = { /* [rows - 1][all VECTORS] */
  ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5),
#if ROWS > 5
  ENTRY(6),
#endif
#if ROWS > 6
  ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10), ENTRY(11), ENTRY(12),
#endif
#if ROWS > 12
  ENTRY(13), ENTRY(14),
#endif
};
/* clang-format on */

#if defined __AMX_INT8__
/* A tile's rows, of which the first one is `row` of all, become bytes; not so the first `skip`, but
 * for those that make a whole vector with others. */
INLINE void finish_rows_of_tile(const factors *o, const int32_t *sums, int row, int skip,
                                const int vectors, const bool adds) {
  const factors here = *o; /* what is written might change *o, for all that the compiler knows */
  for (int i = skip / 4 * 4; i < TILE_ROWS; i += 4 / vectors) {
    reals f[4];
    uint8_t *at[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      const int to = row + i + j / vectors;
      f[j] = tile_values(&here, load_lanes(sums + (i * vectors + j) * LANES), to, j % vectors,
                         adds);
      at[j] = here.out + to * here.out_stride;
    }
    put_tile_values(&here, f, at, vectors);
  }
}

/* Two tiles of rows, or one. The last tile ends with the rows, and so may begin with some that are
 * written already: rows `done`.. are not. */
typedef struct tile_pair {
  int done, first, second;
  bool is_two;
} tile_pair;

static tile_pair pair_of_rows(int done, int rows, int step) {
  const int first = min_int(done, rows - TILE_ROWS);
  return (tile_pair){done, first, min_int(first + TILE_ROWS, rows - TILE_ROWS),
                     step > TILE_ROWS && first + TILE_ROWS < rows};
}

enum { PAIR_SUMS = 2 * TILE_ROWS * VECTORS * LANES, LONG_SUMS = 256, SHORT_SUMS = 20 };

INLINE void sum_pair(const factors *o, tile_pair pair, const int vectors, int32_t *sums) {
  const tile_operands t = {.segments = o->segments,
                           .depth = o->depth,
                           .first = o->a + pair.first * o->a_stride,
                           .second = o->a + pair.second * o->a_stride,
                           .a_stride = o->a_stride,
                           .a_segment = o->a_segment,
                           .weights = o->weights,
                           .bias = o->bias,
                           .is_first = pair.done == 0};
  if (pair.is_two)
    sum_tiles(&t, vectors, true, sums);
  else
    sum_tiles(&t, vectors, false, sums);
}

INLINE void finish_pair(const factors *o, tile_pair pair, const int32_t *sums, const int vectors,
                        const bool adds) {
  const int end = pair.first + TILE_ROWS;
  finish_rows_of_tile(o, sums, pair.first, pair.done - pair.first, vectors, adds);
  if (pair.is_two)
    finish_rows_of_tile(o, sums + TILE_ROWS * vectors * LANES, pair.second, end - pair.second,
                        vectors, adds);
}

/* Each pair is summed before the one ahead of it is finished: tiles and vectors work side by side.
 * Two tiles of rows share what they load of weights, which is worth it where sums are long. Where
 * they are short most of the time goes into finishing, which is the faster the less is between a
 * sum and its byte: bytes 4096 apart are taken for one another, until it is known better. */
INLINE void multiply_by_tiles(const factors *o, int rows, const int vectors, const bool adds) {
  int32_t sums[2 * PAIR_SUMS] __attribute__((aligned(ALIGNMENT)));
  int step = TILE_ROWS, turn = 0;
  if (o->segments * o->depth >= LONG_SUMS)
    step = 2 * TILE_ROWS;
  const ptrdiff_t turn_sums = step * vectors * LANES;
  tile_pair before = pair_of_rows(0, rows, step);
  sum_pair(o, before, vectors, sums);
  for (int done = step; done < rows; done += step, turn = !turn) {
    const tile_pair pair = pair_of_rows(done, rows, step);
    sum_pair(o, pair, vectors, sums + !turn * turn_sums);
    finish_pair(o, before, sums + turn * turn_sums, vectors, adds);
    before = pair;
  }
  finish_pair(o, before, sums + turn * turn_sums, vectors, adds);
}

static __attribute__((noinline)) void multiply_wide(const factors *o, int rows) {
  if (o->residual)
    multiply_by_tiles(o, rows, 2, true);
  else
    multiply_by_tiles(o, rows, 2, false);
}
static __attribute__((noinline)) void multiply_narrow(const factors *o, int rows) {
  if (o->residual)
    multiply_by_tiles(o, rows, 1, true);
  else
    multiply_by_tiles(o, rows, 1, false);
}

/* Has it done all rows? Not so few, or of so short sums that registers are as fast. */
static bool tiles_multiply(const factors *o, int rows, int columns) {
  if (rows < TILE_ROWS || o->segments * o->depth < SHORT_SUMS)
    return false;
  want_tiles();
  if (columns == 2 * LANES)
    multiply_wide(o, rows);
  else
    multiply_narrow(o, rows);
  look_up_rows(o->table, rows, o->out_stride, (size_t)columns, o->out);
  return true;
}
#else
INLINE bool tiles_multiply(const factors *o, int rows, int columns) {
  (void)o;
  (void)rows;
  (void)columns;
  return false;
}
#endif

/* All rows by the columns of one tile, in tiles as even as can be. */
static void multiply_columns(factors o, int rows, int columns) {
  const int tiles = (rows + ROWS - 1) / ROWS, whole = columns == VECTORS * LANES;
  const ptrdiff_t bytes = (ptrdiff_t)tile_bytes(o.segments, o.depth, columns);
  const uint8_t *a = o.a, *residual = o.residual, *next = o.weights + bytes;
  uint8_t *out = o.out;
  if (tiles_multiply(&o, rows, columns))
    return;
  o.coming_step = (columns * 4 * PARTS + tiles - 1) / tiles;
  for (int i = 0; i < tiles; i++) {
    const int first = (int)((int64_t)rows * i / tiles);
    const int height = (int)((int64_t)rows * (i + 1) / tiles) - first;
    o.coming = next + bytes / tiles * i;
    o.a = a + first * o.a_stride;
    o.out = out + first * o.out_stride;
    if (residual)
      o.residual = residual + first * o.residual_stride;
    int8_tiles[height - 1][whole](&o);
    look_up_rows(o.table, height, o.out_stride, (size_t)columns, o.out);
  }
}

static void product_int8(int rows, int segments, int depth, const uint8_t *a, ptrdiff_t a_stride,
                         ptrdiff_t a_segment, const void *panel, int n, const requantization *q,
                         const uint8_t *residual, ptrdiff_t residual_stride, uint8_t *out,
                         ptrdiff_t out_stride) {
  const int columns = tile_columns(n);
  factors o = {.segments = segments,
               .depth = depth,
               .a = a,
               .a_stride = a_stride,
               .a_segment = a_segment,
               .weights = (const uint8_t *)panel + corrections_bytes(n),
               .multiplier = q->multiplier,
               .bias = q->bias,
               .corrections = panel,
               .bounds = bounds_of(&q->range),
               .table = q->range.table,
               .residual = residual,
               .residual_stride = residual_stride,
               .residual_multiplier = splat_real(q->residual_multiplier),
               .residual_zero = splat_lane(q->residual_zero),
               .out = out,
               .out_stride = out_stride};
  for (int c = 0; c < n; c += columns) {
    multiply_columns(o, rows, columns);
    o.weights += tile_bytes(segments, depth, n);
    o.multiplier += columns;
    o.bias += columns;
    o.corrections += columns;
    o.out += columns;
    if (residual)
      o.residual += columns;
  }
}

/* ---- depthwise ----
 * Idea. The step sums 4 products of a channel, so 4 neighbouring cells must lie side by side,
 * channel by channel. A laid row is cut into quads of cells 4 * q .. 4 * q + 3, of [blocks of LANES
 * channels][quads][LANES][4 cells], a plane's row beginning at the first quad that leaves room for
 * `left` cells. Output x sees the laid cells x * stride + offset .. x * stride + offset + breadth -
 * 1: a few whole quads, with weights of 0 for what it does not see of them. So each row of a filter
 * is stored once for each place that a first cell can have in its quad: `period` of them, which the
 * outputs x, x + period,
 * ... share. No byte of a row is moved again, however many outputs see it.
 *   filter: [blocks][period][height][quads of an output, at most][PARTS][LANES][...]; before it,
 * where SHIFTED, the corrections of all channels. */

/* Where in the first quad output 0 begins. */
INLINE int offset_of(const depthwise_shape *shape) { return -shape->left & 3; }

/* Outputs until one's first cell has the same place in its quad again. */
INLINE int period_of(int stride) {
  if (stride % 4 == 0)
    return 1;
  if (stride % 2 == 0)
    return 2;
  return 4;
}

/* Quads that output x sees, and the most that any does. */
INLINE int quads_seen(int x, int breadth, int stride, int offset) {
  return ((x * stride + offset) % 4 + breadth + 3) / 4;
}
INLINE int most_quads(int breadth, int stride, int offset) {
  int most = 0;
  for (int x = 0; x < period_of(stride); x++)
    most = max_int(most, quads_seen(x, breadth, stride, offset));
  return most;
}

enum { OUTPUTS = 4 /* that are made at a time, or twice as many: a multiple of each period */ };

static int laid_cells_of(const depthwise_shape *shape, int columns) {
  const int made = (columns + OUTPUTS - 1) / OUTPUTS * OUTPUTS;
  return quads_of((made - 1) * shape->stride + offset_of(shape) + shape->breadth) * 4;
}

/* Channels c..c+15 of 4 cells, at least those of block `at`: quads 4 bytes a channel. */
#if defined __AVX512BW__
INLINE void lay_quad(const cell_bytes cell[4], ptrdiff_t block, uint8_t *to) {
  (void)block;
  const __m512i lanes_turned = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11,
                                                 15);
  const __m512i bytes_turned = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  __m512i x = _mm512_castsi128_si512((__m128i)cell[0]);
  x = _mm512_inserti32x4(x, (__m128i)cell[1], 1);
  x = _mm512_inserti32x4(x, (__m128i)cell[2], 2);
  x = _mm512_inserti32x4(x, (__m128i)cell[3], 3);
  x = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lanes_turned, x), bytes_turned);
  store_quads(to, (quads)x);
}
#else
typedef uint16_t cell_pairs __attribute__((vector_size(INT8_CELL)));
INLINE cell_bytes low_bytes(cell_bytes x, cell_bytes y) {
  return __builtin_shuffle(x, y,
                           (cell_bytes){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
}
INLINE cell_bytes high_bytes(cell_bytes x, cell_bytes y) {
  return __builtin_shuffle(
      x, y, (cell_bytes){8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
}
INLINE cell_bytes low_pairs(cell_bytes x, cell_bytes y) {
  return (cell_bytes)__builtin_shuffle((cell_pairs)x, (cell_pairs)y,
                                       (cell_pairs){0, 8, 1, 9, 2, 10, 3, 11});
}
INLINE cell_bytes high_pairs(cell_bytes x, cell_bytes y) {
  return (cell_bytes)__builtin_shuffle((cell_pairs)x, (cell_pairs)y,
                                       (cell_pairs){4, 12, 5, 13, 6, 14, 7, 15});
}
INLINE void lay_quad(const cell_bytes cell[4], ptrdiff_t block, uint8_t *to) {
  const cell_bytes low_01 = low_bytes(cell[0], cell[1]), low_23 = low_bytes(cell[2], cell[3]);
  const cell_bytes high_01 = high_bytes(cell[0], cell[1]), high_23 = high_bytes(cell[2], cell[3]);
  const cell_bytes by_fours[4] = {low_pairs(low_01, low_23), high_pairs(low_01, low_23),
                                  low_pairs(high_01, high_23), high_pairs(high_01, high_23)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    *(cell_bytes_any *)(to + i * 4 / LANES * block + i * 4 % LANES * 4) = by_fours[i];
}
#endif

static void lay_row(const depthwise_shape *shape, const uint8_t *from, int n, int cells,
                    int channels, int zero, uint8_t *to) {
  const ptrdiff_t block = (ptrdiff_t)cells * LANES;
  const int before = quads_of(shape->left) * 4;
  uint8_t zeros[INT8_CELL];
  memset(zeros, zero, sizeof zeros);
  for (int first = -before; first < cells - before; first += 4, to += BYTES) {
    const uint8_t *at[4];
    bool is_inside[4];
    for (int i = 0; i < 4; i++) {
      is_inside[i] = first + i >= 0 && first + i < n;
      at[i] = zeros;
      if (is_inside[i])
        at[i] = from + (ptrdiff_t)(first + i) * channels;
    }
    for (int c = 0; c < channels; c += INT8_CELL) {
      cell_bytes cell[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++)
        cell[i] = *(const cell_bytes_any *)(at[i] + c * is_inside[i]);
      lay_quad(cell, block, to + c / LANES * block);
    }
  }
}

/* Bytes of one row of a filter, of one block and place. */
static size_t row_of_filter(const depthwise_shape *shape) {
  const int most = most_quads(shape->breadth, shape->stride, offset_of(shape));
  return (size_t)most * PARTS * BYTES;
}
static size_t block_of_filter(const depthwise_shape *shape) {
  return (size_t)(period_of(shape->stride) * shape->height) * row_of_filter(shape);
}

static size_t filter_size(const depthwise_shape *shape, int channels) {
  return corrections_bytes(channels) + (size_t)(channels / LANES) * block_of_filter(shape);
}

static void pack_filters(const depthwise_shape *shape, const int8_t *w, ptrdiff_t w_stride,
                         int used, int channels, void *filter) {
  const size_t row = row_of_filter(shape);
  const int period = period_of(shape->stride), offset = offset_of(shape);
  int32_t *corrections = filter;
  uint8_t *to = (uint8_t *)filter + corrections_bytes(channels);
  memset(filter, 0, filter_size(shape, channels));
  for (int c = 0; c < used; c++) {
    for (int x = 0; x < period; x++)
      for (int i = 0; i < shape->height; i++)
        for (int j = 0; j < shape->breadth; j++) {
          const int cell = (x * shape->stride + offset) % 4 + j;
          const size_t rows = (size_t)(c / LANES * period + x) * (size_t)shape->height + (size_t)i;
          put_weight(to + rows * row + (size_t)(cell / 4) * PARTS * BYTES, c % LANES, cell % 4,
                     w[(i * shape->breadth + j) * w_stride + c]);
        }
    if (SHIFTED)
      corrections[c] = correction_of(w + c, w_stride, shape->height * shape->breadth);
  }
}

/* One output row of one block of channels. */
typedef struct filtering {
  const uint8_t *const *rows;
  ptrdiff_t block;       /* bytes from a laid row's beginning to the block */
  const uint8_t *filter; /* of the block */
  lanes first;
  reals multiplier;
  bounds bounds;
  int height, columns, channels;
  uint8_t *out; /* of the block, cell 0 */
} filtering;

/* Sums of outputs x.., 4 at a time, become bytes; those past the row's end are dropped. */
INLINE void finish_outputs(const filtering *o, const lanes *sum, const int outputs, int x,
                           const bool is_whole) {
  uint8_t beyond[LANES];
#pragma GCC unroll 2
  for (int first = 0; first < outputs; first += 4) {
    reals f[4];
    uint8_t *to[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      f[i] = reals_of(sum[first + i]) * o->multiplier;
      to[i] = o->out + (ptrdiff_t)(x + first + i) * o->channels;
      if (!is_whole && x + first + i >= o->columns)
        to[i] = beyond;
    }
    store_quarters(bytes_of(f[0], f[1], f[2], f[3], &o->bounds), to);
  }
}

/* Outputs x..x+outputs-1, x a multiple of OUTPUTS. */
INLINE void filter_outputs(const filtering *o, const int breadth, const int stride,
                           const int offset, const int outputs, int x, const bool is_whole) {
  const int period = period_of(stride), most = most_quads(breadth, stride, offset);
  const int last = (outputs - 1) * stride + offset + breadth - 1;
  const ptrdiff_t place = (ptrdiff_t)(o->height * most) * PARTS * BYTES;
  lanes sum[2 * OUTPUTS];
#pragma GCC unroll 8
  for (int i = 0; i < outputs; i++)
    sum[i] = o->first;
  for (int i = 0; i < o->height; i++) {
    const uint8_t *row = o->rows[i] + o->block + (ptrdiff_t)(x * stride / 4) * BYTES;
    const uint8_t *weights = o->filter + (ptrdiff_t)(i * most) * PARTS * BYTES;
#pragma GCC unroll 8
    for (int q = 0; q <= last / 4; q++)
#pragma GCC unroll 2
      for (int part = 0; part < PARTS; part++) {
        const quads u = part_of_quads(load_quads(row + q * BYTES), part);
#pragma GCC unroll 8
        for (int k = 0; k < outputs; k++) {
          const int at = q - (k * stride + offset) / 4;
          if (at >= 0 && at < quads_seen(k, breadth, stride, offset))
            sum[k] = dot(sum[k], u,
                         load_quads(weights + k % period * place + (at * PARTS + part) * BYTES));
        }
      }
  }
  finish_outputs(o, sum, outputs, x, is_whole);
}

INLINE void filter_row_of(const filtering *o, const int breadth, const int stride,
                          const int offset) {
  int x = 0;
  for (; x + 2 * OUTPUTS <= o->columns; x += 2 * OUTPUTS)
    filter_outputs(o, breadth, stride, offset, 2 * OUTPUTS, x, true);
  if (x + OUTPUTS < o->columns)
    filter_outputs(o, breadth, stride, offset, 2 * OUTPUTS, x, false);
  else if (x < o->columns)
    filter_outputs(o, breadth, stride, offset, OUTPUTS, x, false);
}

/* Any filter. */
static void filter_row_any(const filtering *o, int breadth, int stride, int offset) {
  const int period = period_of(stride), most = most_quads(breadth, stride, offset);
  for (int x = 0; x < o->columns; x += OUTPUTS) {
    lanes sum[OUTPUTS];
    for (int k = 0; k < OUTPUTS; k++) {
      sum[k] = o->first;
      const ptrdiff_t from = o->block + (ptrdiff_t)(((x + k) * stride + offset) / 4) * BYTES;
      const int seen = quads_seen(k, breadth, stride, offset);
      for (int i = 0; i < o->height; i++) {
        const int rows = k % period * o->height + i;
        const uint8_t *weights = o->filter + (ptrdiff_t)(rows * most) * PARTS * BYTES;
        for (int q = 0; q < seen; q++)
          for (int part = 0; part < PARTS; part++)
            sum[k] = dot(sum[k], part_of_quads(load_quads(o->rows[i] + from + q * BYTES), part),
                         load_quads(weights + (q * PARTS + part) * BYTES));
      }
    }
    finish_outputs(o, sum, OUTPUTS, x, false);
  }
}

/* Those of today's networks: their padding on the left is half the filter, or less where it is
 * made to fit. */
#define FILTER(b, s, o) \
  static void filter_row_##b##_##s##_##o(const filtering *at) { filter_row_of(at, b, s, o); }
FILTER(3, 1, 3)
FILTER(3, 2, 3)
FILTER(3, 2, 0)
FILTER(5, 1, 2)
FILTER(5, 2, 2)
FILTER(5, 2, 3)
FILTER(7, 1, 1)

static const struct {
  int breadth, stride, offset;
  void (*run)(const filtering *o);
} filters_table[] = {
/* clang-format off */
#define ROW(b, s, o) {b, s, o, filter_row_##b##_##s##_##o}
  ROW(3, 1, 3),
  ROW(3, 2, 3),
  ROW(3, 2, 0),
  ROW(5, 1, 2),
  ROW(5, 2, 2),
  ROW(5, 2, 3),
  ROW(7, 1, 1),
};
/* clang-format on */

static void filter_block_row(const depthwise_shape *shape, const filtering *o) {
  const int breadth = shape->breadth, stride = shape->stride, offset = offset_of(shape);
  for (size_t t = 0; t < sizeof filters_table / sizeof *filters_table; t++)
    if (breadth == filters_table[t].breadth && stride == filters_table[t].stride &&
        offset == filters_table[t].offset) {
      filters_table[t].run(o);
      return;
    }
  filter_row_any(o, breadth, stride, offset);
}

static void depthwise_int8(const depthwise_shape *shape, const uint8_t *const *rows, int n,
                           int columns, int cells, int channels, const void *filter,
                           const requantization *q, uint8_t *out, ptrdiff_t out_row) {
  filtering o = {.filter = (const uint8_t *)filter + corrections_bytes(channels),
                 .bounds = bounds_of(&q->range),
                 .height = shape->height,
                 .columns = columns,
                 .channels = channels};
  for (int c = 0; c < channels; c += LANES) {
    ask_for(o.filter + block_of_filter(shape), block_of_filter(shape)); /* the next block's */
    o.first = first_sums(q->bias, filter, c);
    o.multiplier = load_reals(q->multiplier + c);
    for (int y = 0; y < n; y++) {
      o.rows = rows + (ptrdiff_t)y * shape->down;
      o.out = out + y * out_row + c;
      filter_block_row(shape, &o);
    }
    o.filter += block_of_filter(shape);
    o.block += (ptrdiff_t)cells * LANES;
  }
  look_up_rows(q->range.table, n, out_row, (size_t)columns * (size_t)channels, out);
}

/* ---- value by value ---- */

typedef struct two_planes {
  const uint8_t *a, *b;
  int a_zero, b_zero;
  float a_multiplier, b_multiplier;
} two_planes;

INLINE reals number_at(const uint8_t *p, int zero) {
  return reals_of(load_bytes(p) - splat_lane(zero));
}

INLINE reals added(const void *from, size_t i) {
  const two_planes *o = from;
  const reals f = number_at(o->a + i, o->a_zero) * o->a_multiplier;
  return f + number_at(o->b + i, o->b_zero) * o->b_multiplier;
}

static void add_planes(const uint8_t *a, const uint8_t *b, size_t n, const requantization *q,
                       uint8_t *out) {
  const two_planes o = {a, b, -*q->bias, q->residual_zero, *q->multiplier, q->residual_multiplier};
  put_values(added, &o, n, &q->range, out);
}

/* The product is exact: it has 16 bits and a sign. */
INLINE reals multiplied(const void *from, size_t i) {
  const two_planes *o = from;
  return number_at(o->a + i, o->a_zero) * number_at(o->b + i, o->b_zero) * o->a_multiplier;
}

static void multiply_planes(const uint8_t *a, int a_zero, const uint8_t *b, int b_zero,
                            ptrdiff_t b_stride, int cells, int channels, float multiplier,
                            const int8_range *range, uint8_t *out) {
  two_planes o = {a, b, a_zero, b_zero, multiplier, 0};
  for (int m = 0; m < cells; m++, o.a += channels, o.b += b_stride, out += channels)
    put_values(multiplied, &o, (size_t)channels, range, out);
}

typedef struct line_of_channel {
  const uint8_t *in;
  int zero;
  const float *multiplier, *shift;
} line_of_channel;

INLINE reals on_line(const void *from, size_t i) {
  const line_of_channel *o = from;
  const reals f = number_at(o->in + i, o->zero) * load_reals(o->multiplier + i);
  return f + load_reals(o->shift + i);
}

static void affine_planes(const uint8_t *in, int in_zero, int cells, int channels,
                          const float *multiplier, const float *shift, const int8_range *range,
                          uint8_t *out) {
  line_of_channel o = {in, in_zero, multiplier, shift};
  for (int m = 0; m < cells; m++, o.in += channels, out += channels)
    put_values(on_line, &o, (size_t)channels, range, out);
}

typedef struct sums_of_channels {
  const int32_t *sums;
  const requantization *q;
} sums_of_channels;

INLINE reals of_sums(const void *from, size_t i) {
  const sums_of_channels *o = from;
  return reals_of(load_lanes(o->sums + i) + load_lanes(o->q->bias + i)) *
         load_reals(o->q->multiplier + i);
}

static void requantise_sums(const int32_t *sums, int channels, const requantization *q,
                            uint8_t *out) {
  const sums_of_channels o = {sums, q};
  put_values(of_sums, &o, (size_t)channels, &q->range, out);
}

/* ---- pools and sums ---- */

static void max_of_cells(const uint8_t *const *cell, int n, int channels, uint8_t *out) {
  for (int c = 0; c < channels; c += INT8_CELL) {
    cell_bytes most = *(const cell_bytes_any *)(cell[0] + c);
    for (int i = 1; i < n; i++)
      most = larger_bytes(most, *(const cell_bytes_any *)(cell[i] + c));
    *(cell_bytes_any *)(out + c) = most;
  }
}

typedef struct pooled_cells {
  const uint8_t *const *cell;
  int n;
  int32_t bias;
  float multiplier;
} pooled_cells;

INLINE reals pooled_sum(const void *from, size_t i) {
  const pooled_cells *o = from;
  lanes sum = splat_lane(o->bias);
  for (int k = 0; k < o->n; k++)
    sum += load_bytes(o->cell[k] + i);
  return reals_of(sum) * o->multiplier;
}

static void sum_of_cells(const uint8_t *const *cell, int n, int channels, int32_t bias,
                         float multiplier, const int8_range *range, uint8_t *out) {
  const pooled_cells o = {cell, n, bias, multiplier};
  put_values(pooled_sum, &o, (size_t)channels, range, out);
}

static void sum_of_plane(const uint8_t *in, int cells, ptrdiff_t stride, int channels,
                         int32_t *sums) {
  for (int c = 0; c < channels; c += INT8_CELL) {
    lanes sum[INT8_CELL / LANES] = {{0}};
    for (int m = 0; m < cells; m++)
#pragma GCC unroll 4
      for (int j = 0; j < INT8_CELL / LANES; j++)
        sum[j] += load_bytes(in + m * stride + c + j * LANES);
    for (int j = 0; j < INT8_CELL / LANES; j++)
      store_lanes(sums + c + j * LANES, sum[j]);
  }
}

static void dots_of_rows(const uint8_t *a, int rows, ptrdiff_t a_stride, const int8_t *w, int depth,
                         int32_t *out) {
  ask_for((const uint8_t *)w + 2 * (ptrdiff_t)depth,
          (size_t)depth); /* of a call to come, perhaps */
  for (int r = 0; r < rows; r++, a += a_stride) {
    int32_t sum = 0;
    for (int k = 0; k < depth; k++)
      sum += a[k] * w[k];
    out[r] = sum;
  }
}

/* ---- between float and int8 ---- */

/* Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits of the sum. */
INLINE uint8_t byte_of(float f, float least, float most, int zero) {
  f = f > least ? f : least;
  f = f < most ? f : most;
  f += 0x1.8p23f;
  int32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return (uint8_t)(bits - 0x4b400000 + zero);
}

static void quantize_cells(const float *in, ptrdiff_t in_stride, int cells, int channels,
                           float multiplier, int zero, uint8_t *restrict out,
                           ptrdiff_t out_stride) {
  const float least = (float)-zero, most = (float)(255 - zero);
  for (int m = 0; m < cells; m++, in += in_stride, out += out_stride)
    for (int c = 0; c < channels; c++)
      out[c] = byte_of(in[c] * multiplier, least, most, zero);
}

static void dequantize_cells(const uint8_t *in, ptrdiff_t in_stride, int cells, int channels,
                             float scale, int zero, float *restrict out, ptrdiff_t out_stride) {
  for (int m = 0; m < cells; m++, in += in_stride, out += out_stride)
    for (int c = 0; c < channels; c++)
      out[c] = (float)(in[c] - zero) * scale;
}

/* ---- probe ---- */

#if !defined __AMX_INT8__
static int64_t probe_steps(int64_t n) {
  enum { CHAINS = 12 };
  lanes sum[CHAINS];
  quads ones = (quads)splat_lane((int32_t)n);
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS; i++)
    sum[i] = splat_lane(i);
  for (int64_t k = 0; k < 2 * n * PARTS; k++)
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) {
      __asm__("" : "+" IN_REGISTER(ones)); /* it might be another one, for all that gcc knows */
      sum[i] = dot(sum[i], ones, ones);
    }
  lanes all = {0};
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS; i++)
    all += sum[i];
  __asm__ volatile("" : : "m"(all)); /* and the sums might be read */
  return n * 2 * CHAINS * BYTES;
}
#endif

const kernels_int8 KERNELS_INT8 = {
    .isa = KERNELS_ISA,
    .tile_rows = PRODUCT_ROWS,
    .panel_bytes = panel_size,
    .pack_panel = pack_weights,
    .product = product_int8,
    .laid_cells = laid_cells_of,
    .lay = lay_row,
    .filter_bytes = filter_size,
    .pack_filter = pack_filters,
    .depthwise = depthwise_int8,
    .add = add_planes,
    .multiply = multiply_planes,
    .affine = affine_planes,
    .look_up = look_up_bytes,
    .max_cells = max_of_cells,
    .sum_cells = sum_of_cells,
    .sum_plane = sum_of_plane,
    .requantise = requantise_sums,
    .dot_rows = dots_of_rows,
    .quantize = quantize_cells,
    .dequantize = dequantize_cells,
#if defined __AMX_INT8__
    .rest = rest_tiles,
    .probe_products = probe_tiles,
#else
    .probe_products = probe_steps,
#endif
};
