/* kernels_int8_planes.h - planes value by value, pools, and sums over cells. Included by
 * kernels_int8.c only. */
#ifndef KERNELS_INT8_PLANES_H
#define KERNELS_INT8_PLANES_H
#include "kernels_int8_sums.h"

/* ---- value by value ---- */

static void look_up_bytes(const uint8_t *in, size_t n, const uint8_t *table, uint8_t *out) {
  const whole_table whole = load_table(table);
  look_up_run(&whole, in, n, out);
}

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

#endif
