/* kernels_int8_amx.h - products of kernels_int8.c by AMX: 16 rows of 64 bytes times 16 columns of
 * 64 weights in one instruction. Included by kernels_int8.c only, where there is AMX.
 *
 * A CPU's tiles here: 0..3 are the sums of two times 16 rows by two vectors of columns, 4 and 5 the
 * rows, 6 and 7 the weights. All are of the full size, always: the weights of a panel go on with 0
 * to a multiple of 64 (DEPTH_UNIT), and where there are less than 16 rows left, some are computed
 * again. So the tiles are configured once, until a thread rests. */
#ifndef KERNELS_INT8_AMX_H
#define KERNELS_INT8_AMX_H
#include "kernels_int8_vector.h"
#include <stdbool.h>

enum { TILE_ROWS = 16, TILE_BYTES = 64, STEPS_AHEAD = 4 /* weights are asked for */ };

static void configure_tiles(void) {
  static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } whole = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
  _tile_loadconfig(&whole);
}

/* The CPU says whether its tiles are in use, which is whether they are configured: by us. */
INLINE void want_tiles(void) {
  const uint64_t configuration = 1 << 17;
  if (!(_xgetbv(1) & configuration))
    configure_tiles();
}

static void rest_tiles(void) { _tile_release(); }

/* The left operand of TILE_ROWS rows, or twice as many; and the weights of a panel. */
typedef struct tile_operands {
  int segments, depth;
  const uint8_t *first, *second;
  ptrdiff_t a_stride, a_segment;
  const uint8_t *weights;
  const int32_t *bias;
  bool is_first; /* of the rows that meet these weights */
} tile_operands;

/* kernels_int8.probe_products: each step that is counted in registers, a tile of it here. */
static int64_t probe_tiles(int64_t n) {
  want_tiles();
  _tile_zero(4);
  _tile_zero(6);
  for (int64_t i = 0; i < n; i++) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 6);
    _tile_dpbusd(2, 4, 6);
    _tile_dpbusd(3, 4, 6);
  }
  rest_tiles();
  return n * 4 * TILE_ROWS * LANES * TILE_BYTES;
}

/* sums[row][column of the panel], 16 or 32 rows of `vectors` * 16. */
INLINE void sum_tiles(const tile_operands *o, const int vectors, const bool has_second,
                      int32_t *sums) {
  const ptrdiff_t row = vectors * TILE_BYTES;
  _tile_loadd(0, o->bias, 0);
  if (vectors == 2)
    _tile_loadd(1, o->bias + LANES, 0);
  if (has_second)
    _tile_loadd(2, o->bias, 0);
  if (has_second && vectors == 2)
    _tile_loadd(3, o->bias + LANES, 0);
  const uint8_t *weights = o->weights;
  for (int s = 0; s < o->segments; s++) {
    const ptrdiff_t from = s * o->a_segment;
    for (int k = 0; k < o->depth; k += TILE_BYTES, weights += TILE_ROWS * row) {
      if (o->is_first)
        ask_for(weights + STEPS_AHEAD * TILE_ROWS * row, (size_t)(TILE_ROWS * row));
      _tile_loadd(6, weights, row);
      _tile_loadd(4, o->first + from + k, o->a_stride);
      _tile_dpbusd(0, 4, 6);
      if (vectors == 2) {
        _tile_loadd(7, weights + TILE_BYTES, row);
        _tile_dpbusd(1, 4, 7);
      }
      if (has_second) {
        _tile_loadd(5, o->second + from + k, o->a_stride);
        _tile_dpbusd(2, 5, 6);
      }
      if (has_second && vectors == 2)
        _tile_dpbusd(3, 5, 7);
    }
  }
  int32_t *second = sums + TILE_ROWS * vectors * LANES;
  _tile_stored(0, sums, row);
  if (vectors == 2)
    _tile_stored(1, sums + LANES, row);
  if (has_second)
    _tile_stored(2, second, row);
  if (has_second && vectors == 2)
    _tile_stored(3, second + LANES, row);
}

#endif
