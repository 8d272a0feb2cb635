/* kernels.h - the hot loops of the forward pass, as a table per instruction set. One source,
 * kernels.c, is compiled once for each (Makefile: ISAS); kernels_select() picks at start. Layers
 * call through the table; nothing else knows the vector width.
 *
 * Common to all: planes are NHWC float32 with the channels padded to a multiple of `width` (the
 * padding is finite and never part of a sum); every output is one sum in one fixed order, whatever
 * the tile it falls into, so results do not depend on how work is split. */
#ifndef KERNELS_H
#define KERNELS_H
#include "cam_error.h"
#include "epilogue.h"
#include <stddef.h>
#include <stdint.h>

typedef struct kernels {
  const char *isa;
  int width;     /* floats of one vector: 4, 8, 16 */
  int tile_rows; /* rows of the register tile of `product` */

  /* out[m][0..n) = finish(bias[0..n) + sum over k of a[m][k] * b[k][0..n) (+ residual[m][0..n))), m
   * in [0,rows). n is width or 2 * width; b is a packed panel [segments * depth][n], aligned; a,
   * out and residual have row strides in floats; residual may be NULL. Row m of a is `segments`
   * runs of `depth` floats, a_segment floats apart: one run for a plane of cells, or the rows under
   * a convolution's kernel as they lie in the plane. */
  void (*product)(int rows, int segments, int depth, const float *a, ptrdiff_t a_stride,
                  ptrdiff_t a_segment, const float *b, int n, const float *bias,
                  const float *residual, ptrdiff_t residual_stride, float *out,
                  ptrdiff_t out_stride, epilogue finish);

  /* One row of a depthwise convolution: out[x][c] = finish(bias[c] + sum over i, j of rows[i][x *
   * stride + j][c] * weight[i][j][c]), x in [0,columns). rows: `height` pointers to padded input
   * rows; weight [height,breadth,channels]; channels a multiple of width. */
  void (*depthwise)(const float *const *rows, int height, int breadth, int stride, int columns,
                    int channels, const float *weight, const float *bias, float *out,
                    epilogue finish);

  /* Winograd's F(4x4,3x3) or F(6x6,3x3) (Lavin and Gray, CVPR 2016, arXiv 1509.09308; points 0, 1,
   * -1, 2, -2, infinity, and of 6x6 also 1/2, -1/2), one tile of `tile` x `tile` outputs,
   * `channels` (a multiple of width) of it; n = tile + 2. Input: v[t * plane + c] = (B^T d B)[t], d
   * the n x n cells cell[i * n + j], each [channels]. Output: the tile x tile cells A^T m A of m[t
   * * plane + c], + bias[c] (+ residual[i][c]), finished, to out[i], or nowhere where out[i] is
   * NULL. With pool, out has half as many cells a side instead, each the largest of its 2x2
   * (max_pool 2x2, stride 2), residual is NULL and finish a CLAMP. */
  void (*winograd_input)(int tile, const float *const *cell, int channels, float *v,
                         ptrdiff_t plane);
  void (*winograd_output)(int tile, const float *m, ptrdiff_t plane, int channels,
                          const float *bias, const float *const *residual, float *const *out,
                          int pool, epilogue finish);

  /* out[c] = max over n cells, or their sum / count; cell[i] points to [channels]. */
  void (*max_cells)(const float *const *cell, int n, int channels, float *out);
  void (*mean_cells)(const float *const *cell, int n, int count, int channels, float *out);
  /* out[i] = finish(a[i] + b[i]) or, b NULL, finish(a[i]); n a multiple of width. */
  void (*combine)(const float *a, const float *b, size_t n, float *out, epilogue finish);
  /* out[i] = finish(a[i] * b[i]); n a multiple of width. */
  void (*multiply)(const float *a, const float *b, size_t n, float *out, epilogue finish);
  /* out[m][c] = finish(in[m][c] * scale[c] + shift[c]), or without shift where it is NULL; planes
   * [cells,channels]. */
  void (*affine)(const float *in, int cells, int channels, const float *scale, const float *shift,
                 float *out, epilogue finish);
  /* Each cell less its mean over the first `channels` of its `stride` floats, divided by
   * sqrt(variance + epsilon), times scale[c], plus shift[c], finished; both are [stride]. */
  void (*normalize)(const float *in, int cells, int channels, int stride, const float *scale,
                    const float *shift, float epsilon, float *out, epilogue finish);
  /* out[c] = mean over `cells` rows, `stride` floats apart, of their float c; channels a multiple
   * of width. */
  void (*average)(const float *in, int cells, ptrdiff_t stride, int channels, float *out);

  /* What the host can do, for `camserve bench --layers`. n times 24 independent multiply-adds of
   * whole vectors, in registers; the sum of n floats (a multiple of 4 * width) from memory. The
   * results mean nothing; they are returned so that the compiler keeps the loops. */
  float (*probe_arithmetic)(int64_t n);
  float (*probe_memory)(const float *p, size_t n);
} kernels;

/* One for each of the Makefile's ISAS; all machines have the portable one. */
extern const kernels kernels_portable, kernels_x86_64_v3, kernels_x86_64_v4;

/* isa NULL or "": the best this CPU has. CAM_E_PARAMETER: unknown, or not had by this CPU. */
cam_code kernels_select(const char *isa, const kernels **out, cam_error *error);

#endif
