/* kernels_int8.c - kernels_int8.h, compiled once per instruction set (KERNELS_ISA names it,
 * KERNELS_INT8 is the table's symbol). Compiled without contraction: a multiplication and an
 * addition round twice on every machine. What it consists of, from the bottom:
 *   kernels_int8_terms.h        what calls are described by
 *   kernels_int8_vector.h       vectors, and what differs between instruction sets
 *   kernels_int8_sums.h         how sums begin, and end as bytes
 *   kernels_int8_amx.h          AMX's tiles
 *   kernels_int8_panel.h        weights as products read them, and how sums become bytes
 *   kernels_int8_product.h      product, by registers
 *   kernels_int8_product_amx.h  and by AMX's tiles
 *   kernels_int8_depthwise.h    depthwise convolutions
 *   kernels_int8_planes.h       sums, products, affines, pools; means
 * Here are the ways between float and int8, the probe, and the table. */
#include "kernels_int8.h"
#include "kernels_int8_depthwise.h"
#include "kernels_int8_planes.h"
#include "kernels_int8_product.h"

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
