/* kernels_int8_panel.h - what a product by registers and one by AMX share: panels of weights, what
 * a tile of the output is made of, and how its sums become bytes. Included by what kernels_int8.c
 * consists of only.
 *
 * Register budget of `product`: ROWS x VECTORS sums, VECTORS vectors of weights, and what stands
 * for 4 bytes of a row: 14 x 2 + 2 + 1 of 32 registers with AVX-512 and VNNI, 14 being what today's
 * planes of 7, 14, 28 and 56 cells a side divide into best; without VNNI 12 x 2 + 2 + 1, and room
 * for halves and products; 6 x 2 + 2 + 1, and without VNNI a product, of 16 with AVX2 and SSE2;
 * 5 x 4 + 4 + 1 with NEON, whose loads take what is left.
 *
 * A panel is columns of VECTORS vectors, or of one where there are no more, side by side: of each,
 * for each quad of k, its vectors of PARTS each. A run's k go on to a multiple of DEPTH_UNIT, with
 * 0. Before all, where SHIFTED, stand the corrections of all columns. */
#ifndef KERNELS_INT8_PANEL_H
#define KERNELS_INT8_PANEL_H
#include "cam_minmax.h"
#include "kernels_int8_sums.h"
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

static int panel_quads(int depth) { return (depth + DEPTH_UNIT - 1) / DEPTH_UNIT * DEPTH_UNIT / 4; }
static int tile_columns(int n) { return min_int(n, VECTORS * LANES); }

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

#endif
