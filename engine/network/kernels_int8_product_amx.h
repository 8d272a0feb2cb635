/* kernels_int8_product_amx.h - `product` by AMX: pairs of tiles of rows, summed by
 * kernels_int8_amx.h. Included by kernels_int8_product.h only, where there is AMX. */
#ifndef KERNELS_INT8_PRODUCT_AMX_H
#define KERNELS_INT8_PRODUCT_AMX_H
#include "kernels_int8_panel.h"

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

#endif
