/* kernels_int8_sums.h - how sums begin, and how they end as bytes: of all kernels. Included by what
 * kernels_int8.c consists of only. */
#ifndef KERNELS_INT8_SUMS_H
#define KERNELS_INT8_SUMS_H
#include "kernels_int8_terms.h"
#include "kernels_int8_vector.h"

enum { ALIGNMENT = 64 }; /* of panels and filters */

static size_t whole_lines(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }
static int quads_of(int bytes) { return (bytes + 3) / 4; }

/* ---- what sums begin with: where SHIFTED, corrections stand before weights ---- */

static size_t corrections_bytes(int n) {
  if (!SHIFTED)
    return 0;
  return whole_lines((size_t)n * sizeof(int32_t));
}

static int32_t correction_of(const int8_t *w, ptrdiff_t w_stride, int n) {
  int32_t sum = 0;
  for (int k = 0; k < n; k++)
    sum += w[k * w_stride];
  return 128 * sum;
}

INLINE lanes first_sums(const int32_t *bias, const int32_t *corrections, ptrdiff_t at) {
  if (SHIFTED)
    return load_lanes(bias + at) + load_lanes(corrections + at);
  return load_lanes(bias + at);
}

/* ---- and how they become bytes: the rule of kernels_int8_terms.h ---- */

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

#endif
