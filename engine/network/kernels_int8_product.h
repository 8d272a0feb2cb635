/* kernels_int8_product.h - kernels_int8.product: register tiles of up to ROWS x VECTORS, or AMX
 * where there is some. Included by kernels_int8.c only. */
#ifndef KERNELS_INT8_PRODUCT_H
#define KERNELS_INT8_PRODUCT_H
#include "kernels_int8_panel.h"
#if defined __AMX_INT8__
#include "kernels_int8_product_amx.h"
#endif

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

/* All rows by the columns of one tile, in tiles as even as can be. */
static void multiply_columns(factors o, int rows, int columns) {
  const int tiles = (rows + ROWS - 1) / ROWS, whole = columns == VECTORS * LANES;
  const ptrdiff_t bytes = (ptrdiff_t)tile_bytes(o.segments, o.depth, columns);
  const uint8_t *a = o.a, *residual = o.residual, *next = o.weights + bytes;
  uint8_t *out = o.out;
#if defined __AMX_INT8__
  if (tiles_multiply(&o, rows, columns))
    return;
#endif
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

#endif
