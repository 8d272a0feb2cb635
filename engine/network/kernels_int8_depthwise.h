/* kernels_int8_depthwise.h - kernels_int8.lay and .depthwise. Included by kernels_int8.c only.
 *
 * Idea. The step sums 4 products of a channel, so 4 neighbouring cells must lie side by side,
 * channel by channel. A laid row is cut into quads of cells 4 * q .. 4 * q + 3, of [blocks of LANES
 * channels][quads][LANES][4 cells], a plane's row beginning at the first quad that leaves room for
 * `left` cells. Output x sees the laid cells x * stride + offset .. x * stride + offset + breadth -
 * 1: a few whole quads, with weights of 0 for what it does not see of them. So each row of a filter
 * is stored once for each place that a first cell can have in its quad: `period` of them, which the
 * outputs x, x + period, ... share. No byte of a row is moved again, however many outputs see it.
 *   filter: [blocks][period][height][quads of an output, at most][PARTS][LANES][...]; before it,
 * where SHIFTED, the corrections of all channels. */
#ifndef KERNELS_INT8_DEPTHWISE_H
#define KERNELS_INT8_DEPTHWISE_H
#include "cam_minmax.h"
#include "kernels_int8_sums.h"
#include <stdbool.h>

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

#endif
