/* kernels_int8.h - the hot loops of networks in int8, as a table per instruction set. One source,
 * kernels_int8.c, is compiled once for each (Makefile: INT8_ISAS); kernels_int8_select() picks at
 * start. Layers call through the table; nothing else knows the vector width.
 *
 * Planes are uint8 [height,width,channels], a value q standing for (q - zero point) * scale; a cell
 * takes a multiple of INT8_CELL bytes on every instruction set. What pads a cell may be anything:
 * weights that meet it are 0, and what is written there means nothing. Weights are int8, symmetric,
 * -127..127. Sums are int32: the caller has checked that none can leave its range, whatever the
 * input, so their order does not matter.
 *
 * A byte is made of a sum by the rule of kernels_int8_terms.h.
 *
 * Thread: any; kernels keep nothing. */
#ifndef KERNELS_INT8_H
#define KERNELS_INT8_H
#include "cam_error.h"
#include "kernels_int8_terms.h"
#include <stddef.h>
#include <stdint.h>

typedef struct kernels_int8 {
  const char *isa;
  int tile_rows; /* rows of the register tile of `product` */

  /* A panel of n columns of weights, n INT8_CELL or INT8_PANEL, as `product` likes it: bytes that
   * it takes, and how it is made. w: [segments * depth][w_stride], its first `columns` <= n columns
   * are taken, the others are 0. A panel stands at a multiple of 64 bytes. */
  size_t (*panel_bytes)(int segments, int depth, int n);
  void (*pack_panel)(const int8_t *w, ptrdiff_t w_stride, int segments, int depth, int columns,
                     int n, void *panel);

  /* out[m][0..n) = requantised(bias[0..n) + sum over k of a[m][k] * w[k][0..n), residual[m][0..n)),
   * m in [0,rows). Row m of a is `segments` runs of `depth` bytes, a_segment bytes apart, and is at
   * a + m * a_stride. The INT8_BEHIND bytes behind the last one are read, too, for nothing.
   * residual may be NULL; out may not be where it is. q is that of column 0 of the panel. */
  void (*product)(int rows, int segments, int depth, const uint8_t *a, ptrdiff_t a_stride,
                  ptrdiff_t a_segment, const void *panel, int n, const requantization *q,
                  const uint8_t *residual, ptrdiff_t residual_stride, uint8_t *out,
                  ptrdiff_t out_stride);

  /* Depthwise convolutions read rows that are laid out for them. A laid row holds laid_cells()
   * cells for an output row of `columns`: cells * channels bytes. lay() makes one of the n cells of
   * a plane's row, which lie at `from`, with the zero point at both ends; or of the zero point
   * alone, for a row outside the plane: n 0. Cells of the plane's row that no output sees are not
   * asked for: n may be larger than there is room for. channels: a multiple of INT8_CELL, here and
   * below. */
  int (*laid_cells)(const depthwise_shape *shape, int columns);
  void (*lay)(const depthwise_shape *shape, const uint8_t *from, int n, int cells, int channels,
              int zero, uint8_t *to);

  /* Filters, as `depthwise` likes them, at a multiple of 64 bytes. w: [height,breadth,w_stride],
   * its first `used` channels are taken, the others are 0. */
  size_t (*filter_bytes)(const depthwise_shape *shape, int channels);
  void (*pack_filter)(const depthwise_shape *shape, const int8_t *w, ptrdiff_t w_stride, int used,
                      int channels, void *filter);

  /* n rows of a depthwise convolution: out[y][x][c] = requantised(bias[c] + sum over i, j of plane
   * row y * down + i - top, cell x * stride + j - left, channel c * w[i][j][c]), x in [0,columns),
   * y in [0,n). Of each cell `channels` bytes are written; output rows are out_row bytes apart.
   * rows: (n - 1) * down + height pointers to laid rows of `cells` cells, the caller's choice being
   * what `top` is. No residual. */
  void (*depthwise)(const depthwise_shape *shape, const uint8_t *const *rows, int n, int columns,
                    int cells, int channels, const void *filter, const requantization *q,
                    uint8_t *out, ptrdiff_t out_row);

  /* out[i] = requantised of the sum a[i] - zero of a, with the residual b[i]; q->multiplier and
   * q->bias are one number each, of a; q->bias is - zero. n: a multiple of INT8_CELL, here and
   * below. */
  void (*add)(const uint8_t *a, const uint8_t *b, size_t n, const requantization *q, uint8_t *out);
  /* out[m][c] = requantised of the sum (a[m][c] - a_zero) * (b[m][c] - b_zero), times multiplier;
   * planes [cells,channels], or b one cell (b_stride 0; else channels). */
  void (*multiply)(const uint8_t *a, int a_zero, const uint8_t *b, int b_zero, ptrdiff_t b_stride,
                   int cells, int channels, float multiplier, const int8_range *range,
                   uint8_t *out);
  /* An affine a channel: as above with f = (float)(in[m][c] - in_zero) * multiplier[c] + shift[c],
   * a product, then a sum; the multipliers may be negative. */
  void (*affine)(const uint8_t *in, int in_zero, int cells, int channels, const float *multiplier,
                 const float *shift, const int8_range *range, uint8_t *out);
  /* out[i] = table[in[i]], in place or not; any n. */
  void (*look_up)(const uint8_t *in, size_t n, const uint8_t *table, uint8_t *out);

  /* out[c] = max over n cells, or requantised of the sum bias + all cells; cell[i] points to
   * [channels]. */
  void (*max_cells)(const uint8_t *const *cell, int n, int channels, uint8_t *out);
  void (*sum_cells)(const uint8_t *const *cell, int n, int channels, int32_t bias, float multiplier,
                    const int8_range *range, uint8_t *out);
  /* sums[c] = sum over `cells` cells, `stride` bytes apart, of channel c; cells < 2^23. */
  void (*sum_plane)(const uint8_t *in, int cells, ptrdiff_t stride, int channels, int32_t *sums);
  /* out[c] = requantised(sums[c] + bias[c]). No residual. */
  void (*requantise)(const int32_t *sums, int channels, const requantization *q, uint8_t *out);

  /* out[r] = sum over k in [0,depth) of a[r][k] * w[k], r in [0,rows); depth <= 65536. What class
   * maps and fc are made of: rows are a plane's cells, or the digits of sums. */
  void (*dot_rows)(const uint8_t *a, int rows, ptrdiff_t a_stride, const int8_t *w, int depth,
                   int32_t *out);

  /* Between float and int8: q = rint(clamp(x * multiplier, 0 - zero, 255 - zero)) + zero (a NaN
   * gives a number), x = (q - zero) * scale. Strides in elements; `channels` of each cell, a
   * multiple of 4, which both strides have room for. */
  void (*quantize)(const float *in, ptrdiff_t in_stride, int cells, int channels, float multiplier,
                   int zero, uint8_t *out, ptrdiff_t out_stride);
  void (*dequantize)(const uint8_t *in, ptrdiff_t in_stride, int cells, int channels, float scale,
                     int zero, float *out, ptrdiff_t out_stride);

  /* The calling thread has no product to do for a while: what its CPU holds for them is given up.
   * NULL: nothing is. Not calling it costs time at each change of threads, no more. */
  void (*rest)(void);

  /* Some n times as many independent steps of `product`'s inner loop, in registers: for `camserve
   * bench --layers`. Returns how many multiply-adds that was. */
  int64_t (*probe_products)(int64_t n);
} kernels_int8;

/* One for each of the Makefile's INT8_ISAS. */
extern const kernels_int8 kernels_int8_portable, kernels_int8_x86_64_v3, kernels_int8_avx_vnni,
    kernels_int8_x86_64_v4, kernels_int8_avx512_vnni, kernels_int8_avx512_vbmi,
    kernels_int8_amx_int8, kernels_int8_dotprod;

/* `isa` is a ceiling: one of the words of kernels_select(), or NULL or "" for none. The best table
 * that this CPU has and the ceiling allows. CAM_E_PARAMETER: an unknown word. */
cam_code kernels_int8_select(const char *isa, const kernels_int8 **out, cam_error *error);
/* The tables that this CPU has, the best first; NULL: there are not that many. */
const kernels_int8 *kernels_int8_had(int i);

#endif
