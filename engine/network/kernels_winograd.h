/* kernels_winograd.h - the transforms of Winograd's F(4x4,3x3) and F(6x6,3x3), for kernels.c. A
 * tile is 36 or 64 vectors, so the compiler keeps a row or a column in registers and the rest on
 * the stack. Flow: planes -> [tile_in] -> products -> [tile_out] -> planes. Thread: any; touches
 * only its arguments. */
#ifndef KERNELS_WINOGRAD_H
#define KERNELS_WINOGRAD_H
#include "kernels_activation.h"

enum { SPAN_MOST = 8, TILE_MOST = 6 };

INLINE void transform_input(const int tile, const vec *d, vec *out) { /* one application of B^T */
  if (tile == 4) {
    vec even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1], outer = d[4] - d[2],
        inner = 2 * (d[3] - d[1]);
    out[0] = 4 * d[0] - 5 * d[2] + d[4];
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = outer + inner;
    out[4] = outer - inner;
    out[5] = 4 * d[1] - 5 * d[3] + d[5];
  } else { /* a pair of rows for each of the points 1, 2, 1/2 and their negatives */
    vec even_1 = d[2] - 4.25f * d[4] + d[6], odd_1 = d[1] - 4.25f * d[3] + d[5];
    vec even_2 = 0.25f * d[2] - 1.25f * d[4] + d[6], odd_2 = 0.5f * d[1] - 2.5f * d[3] + 2 * d[5];
    vec even_half = 4 * d[2] - 5 * d[4] + d[6], odd_half = 2 * d[1] - 2.5f * d[3] + 0.5f * d[5];
    out[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
    out[1] = even_1 + odd_1;
    out[2] = even_1 - odd_1;
    out[3] = even_2 + odd_2;
    out[4] = even_2 - odd_2;
    out[5] = even_half + odd_half;
    out[6] = even_half - odd_half;
    out[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
  }
}

INLINE void transform_output(const int tile, const vec *m, vec *out) { /* one application of A^T */
  vec even_1 = m[1] + m[2], odd_1 = m[1] - m[2], even_2 = m[3] + m[4], odd_2 = m[3] - m[4];
  if (tile == 4) {
    out[0] = m[0] + even_1 + even_2;
    out[1] = odd_1 + 2 * odd_2;
    out[2] = even_1 + 4 * even_2;
    out[3] = odd_1 + 8 * odd_2 + m[5];
  } else {
    vec even_half = m[5] + m[6], odd_half = m[5] - m[6];
    out[0] = m[0] + even_1 + even_2 + even_half;
    out[1] = odd_1 + 2 * odd_2 + 0.5f * odd_half;
    out[2] = even_1 + 4 * even_2 + 0.25f * even_half;
    out[3] = odd_1 + 8 * odd_2 + 0.125f * odd_half;
    out[4] = even_1 + 16 * even_2 + 0.0625f * even_half;
    out[5] = odd_1 + 32 * odd_2 + 0.03125f * odd_half + m[7];
  }
}

INLINE void tile_in(const int tile, const float *const *cell, int channels, float *v,
                    ptrdiff_t plane) {
  const int span = tile + 2;
  for (int c = 0; c < channels; c += W) {
    vec half[SPAN_MOST][SPAN_MOST]; /* [column][row] */
#pragma GCC unroll 8
    for (int j = 0; j < span; j++) {
      vec d[SPAN_MOST];
#pragma GCC unroll 8
      for (int i = 0; i < span; i++)
        d[i] = load(cell[i * span + j] + c);
      transform_input(tile, d, half[j]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < span; i++) {
      vec d[SPAN_MOST], out[SPAN_MOST];
#pragma GCC unroll 8
      for (int j = 0; j < span; j++)
        d[j] = half[j][i];
      transform_input(tile, d, out);
#pragma GCC unroll 8
      for (int j = 0; j < span; j++)
        store(v + (i * span + j) * plane + c, out[j]);
    }
  }
}

INLINE void tile_out(const int tile, const float *m, ptrdiff_t plane, int channels,
                     const float *bias, const float *const *residual, float *const *out, int pool,
                     epilogue finish) {
  const int span = tile + 2, pooled = tile / 2;
  const vec low = splat(finish.low), high = splat(finish.high);
  for (int c = 0; c < channels; c += W) {
    vec half[SPAN_MOST][TILE_MOST], cells[TILE_MOST][TILE_MOST],
        first = load(bias + c); /* half: [column][row] */
#pragma GCC unroll 8
    for (int j = 0; j < span; j++) {
      vec in[SPAN_MOST];
#pragma GCC unroll 8
      for (int i = 0; i < span; i++)
        in[i] = load(m + (i * span + j) * plane + c);
      transform_output(tile, in, half[j]);
    }
#pragma GCC unroll 6
    for (int i = 0; i < tile; i++) {
      vec in[SPAN_MOST];
#pragma GCC unroll 8
      for (int j = 0; j < span; j++)
        in[j] = half[j][i];
      transform_output(tile, in, cells[i]);
#pragma GCC unroll 6
      for (int j = 0; j < tile; j++) {
        cells[i][j] += first;
        if (residual && out[i * tile + j])
          cells[i][j] += load(residual[i * tile + j] + c);
        cells[i][j] = clamp(cells[i][j], low, high);
        if (!pool && out[i * tile + j])
          store(out[i * tile + j] + c, cells[i][j]);
      }
    }
    for (int i = 0; i < pooled * pooled && pool; i++) {
      vec(*at)[TILE_MOST] = &cells[i / pooled * 2];
      int j = i % pooled * 2;
      if (out[i])
        store(out[i] + c, max(max(at[0][j], at[0][j + 1]), max(at[1][j], at[1][j + 1])));
    }
  }
}

static void winograd_input(int tile, const float *const *cell, int channels, float *v,
                           ptrdiff_t plane) {
  if (tile == 4)
    tile_in(4, cell, channels, v, plane);
  else
    tile_in(6, cell, channels, v, plane);
}

static void winograd_output(int tile, const float *m, ptrdiff_t plane, int channels,
                            const float *bias, const float *const *residual, float *const *out,
                            int pool, epilogue finish) {
  if (tile == 4)
    tile_out(4, m, plane, channels, bias, residual, out, pool, finish);
  else
    tile_out(6, m, plane, channels, bias, residual, out, pool, finish);
  for (int i = 0; i < tile * tile && finish.kind != CLAMP; i++)
    if (out[i])
      finish_rows(out[i], 1, 0, (size_t)channels, finish);
}

#endif
