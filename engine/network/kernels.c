/* kernels.c - kernels.h in GCC vector extensions, compiled once per instruction set (KERNELS_ISA
 * names it, KERNELS is the table's symbol). The vector width is the only difference: 16 floats with
 * AVX-512, 8 with AVX, else 4 (SSE2, NEON).
 *
 * Register budget of `product`: the tile has ROWS x 2 accumulators, 2 vectors of b and one
 * broadcast of a: 12 x 2 + 3 = 27 of 32 registers with AVX-512, 6 x 2 + 3 = 15 of 16 with AVX2 and
 * SSE2. NEON multiplies by a lane, not by a broadcast, so gcc loads many a's ahead: 10 x 2 + 2
 * leaves room for 10 of them. (At 12 rows gcc 12 spills 3 accumulators in the loop.) */
#include "kernels.h"
#include "cam_minmax.h"
#include "kernels_activation.h"
#include "kernels_vector.h"
#include "kernels_winograd.h"
#include <math.h>

/* ---- product: register tiles of up to ROWS x 2 vectors; the sum runs over k from first to last,
 * starting at the bias ---- */

#if defined __AVX512F__
#define ROWS 12
#elif defined __ARM_NEON
#define ROWS 10
#else
#define ROWS 6
#endif

typedef struct operands {
  int segments, depth;
  const float *a, *b, *bias, *residual;
  ptrdiff_t a_stride, a_segment, residual_stride, out_stride;
  float *out;
  epilogue finish;
} operands;

/* Floats of a cache line, and how far ahead of its use b is asked for: it comes from the
 * second-level cache or further away, and past a page's end no prefetcher of the hardware looks. */
enum { LINE = 16, AHEAD = 512 };

INLINE void tile(const operands *o, const int rows, const int vectors) {
  vec sum[ROWS][2];
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; j++)
      sum[i][j] = load(o->bias + j * W);
  const float *b = o->b, *segment = o->a;
  const vec low = splat(o->finish.low), high = splat(o->finish.high);
  for (int s = 0; s < o->segments; s++, segment += o->a_segment) {
    const float *a = segment;
    for (int k = 0; k < o->depth; k++, a++, b += vectors * W) {
      vec right[2];
#pragma GCC unroll 2
      for (int j = 0; j < vectors * W; j += LINE)
        __builtin_prefetch(b + AHEAD + j);
#pragma GCC unroll 2
      for (int j = 0; j < vectors; j++)
        right[j] = load(b + j * W);
#pragma GCC unroll 12
      for (int i = 0; i < rows; i++) {
        float left = a[i * o->a_stride];
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
          sum[i][j] += left * right[j];
      }
    }
  }
  if (o->residual) {
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
      for (int j = 0; j < vectors; j++)
        sum[i][j] += load(o->residual + i * o->residual_stride + j * W);
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; j++)
      store(o->out + i * o->out_stride + j * W, clamp(sum[i][j], low, high));
}

#define TILE(rows) \
  static void tile_##rows##_1(const operands *o) { tile(o, rows, 1); } \
  static void tile_##rows##_2(const operands *o) { tile(o, rows, 2); }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#if ROWS > 6
TILE(7)
TILE(8)
TILE(9)
TILE(10)
#endif
#if ROWS > 10
TILE(11)
TILE(12)
#endif
/* clang-format off */
static void (*const tiles[ROWS][2])(const operands *) = { /* [rows - 1][vectors - 1] */
#define ENTRY(rows) {tile_##rows##_1, tile_##rows##_2}
  ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6),
#if ROWS > 6
  ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10),
#endif
#if ROWS > 10
  ENTRY(11), ENTRY(12),
#endif
};
/* clang-format on */

static void product(int rows, int segments, int depth, const float *a, ptrdiff_t a_stride,
                    ptrdiff_t a_segment, const float *b, int n, const float *bias,
                    const float *residual, ptrdiff_t residual_stride, float *out,
                    ptrdiff_t out_stride, epilogue finish) {
  int pieces = (rows + ROWS - 1) / ROWS;
  operands o = {segments,  depth,           NULL,       b,    bias,  NULL, a_stride,
                a_segment, residual_stride, out_stride, NULL, finish};
  for (int p = 0, m = 0; p < pieces; p++) { /* tiles as even as can be: a last tile of one row would
                                               cost as much as a whole one */
    int end = (int)((int64_t)rows * (p + 1) / pieces), height = end - m;
    o.a = a + m * a_stride;
    o.out = out + m * out_stride;
    if (residual)
      o.residual = residual + m * residual_stride;
    tiles[height - 1][n / W - 1](&o);
    if (finish.kind != CLAMP)
      finish_rows(o.out, height, out_stride, (size_t)n, finish);
    m = end;
  }
}

/* ---- depthwise: one vector of channels, up to COLUMNS output cells in registers, the weights of
 * one kernel row loaded once ---- */

enum { COLUMNS = 7 /* output cells in registers of `depthwise` */ };

INLINE void cells_fixed(const float *const *rows, const int height, const int breadth,
                        const int stride, const int columns, int channels, const float *weight,
                        const float *bias, float *out, epilogue finish, ptrdiff_t at) {
  const vec low = splat(finish.low), high = splat(finish.high);
  for (int c = 0; c < channels; c += W) {
    vec sum[COLUMNS], first = load(bias + c);
#pragma GCC unroll 7
    for (int x = 0; x < columns; x++)
      sum[x] = first;
    for (int i = 0; i < height; i++) {
      vec w[5];
      const float *row = rows[i] + at + c;
#pragma GCC unroll 5
      for (int j = 0; j < breadth; j++)
        w[j] = load(weight + (ptrdiff_t)(i * breadth + j) * channels + c);
#pragma GCC unroll 17
      for (int q = 0; q < (columns - 1) * stride + breadth; q++) {
        vec in = load(row + (ptrdiff_t)q * channels);
#pragma GCC unroll 7
        for (int x = 0; x < columns; x++)
          if (q >= x * stride && q < x * stride + breadth)
            sum[x] += in * w[q - x * stride];
      }
    }
#pragma GCC unroll 7
    for (int x = 0; x < columns; x++)
      store(out + (ptrdiff_t)x * channels + c, clamp(sum[x], low, high));
  }
}

#define CELLS(k, s, n) \
  static void cells_##k##_##s##_##n(const float *const *rows, int channels, const float *weight, \
                                    const float *bias, float *out, epilogue finish, \
                                    ptrdiff_t at) { \
    cells_fixed(rows, k, k, s, n, channels, weight, bias, out, finish, at); \
  }
#define CELLS_OF(k, s) CELLS(k, s, 7) CELLS(k, s, 4) CELLS(k, s, 2) CELLS(k, s, 1)
CELLS_OF(3, 1)
CELLS_OF(3, 2)
CELLS_OF(5, 1)
CELLS_OF(5, 2)

typedef void cells_kernel(const float *const *, int, const float *, const float *, float *,
                          epilogue, ptrdiff_t);
static const struct {
  int kernel, stride;
  struct {
    int columns;
    cells_kernel *run;
  } by_columns[4];
} cells_table[] = {
/* clang-format off */
#define ROW(k, s) \
  {k, s, {{7, cells_##k##_##s##_7}, {4, cells_##k##_##s##_4}, \
          {2, cells_##k##_##s##_2}, {1, cells_##k##_##s##_1}}}
  ROW(3, 1),
  ROW(3, 2),
  ROW(5, 1),
  ROW(5, 2),
};
/* clang-format on */

static void depthwise(const float *const *rows, int height, int breadth, int stride, int columns,
                      int channels, const float *weight, const float *bias, float *out,
                      epilogue finish) {
  for (size_t t = 0; t < sizeof cells_table / sizeof *cells_table; t++) {
    if (height != cells_table[t].kernel || breadth != height || stride != cells_table[t].stride)
      continue;
    for (int x = 0, n = 0; x < columns;) {
      while (cells_table[t].by_columns[n].columns > columns - x)
        n++;
      cells_table[t].by_columns[n].run(rows, channels, weight, bias, out + (ptrdiff_t)x * channels,
                                       finish, (ptrdiff_t)x * stride * channels);
      finish_rows(out + (ptrdiff_t)x * channels, cells_table[t].by_columns[n].columns, channels,
                  (size_t)channels, finish);
      x += cells_table[t].by_columns[n].columns;
    }
    return;
  }
  const vec low = splat(finish.low), high = splat(finish.high);
  for (int x = 0; x < columns; x++) /* any other kernel */
    for (int c = 0; c < channels; c += W) {
      vec sum = load(bias + c);
      for (int i = 0; i < height; i++)
        for (int j = 0; j < breadth; j++)
          sum += load(rows[i] + (ptrdiff_t)(x * stride + j) * channels + c) *
                 load(weight + (ptrdiff_t)(i * breadth + j) * channels + c);
      store(out + (ptrdiff_t)x * channels + c, clamp(sum, low, high));
    }
  finish_rows(out, 1, 0, (size_t)columns * (size_t)channels, finish);
}

/* ---- pools and sums ---- */

static void max_cells(const float *const *cell, int n, int channels, float *out) {
  for (int c = 0; c < channels; c += W) {
    vec most = load(cell[0] + c);
    for (int i = 1; i < n; i++)
      most = max(most, load(cell[i] + c));
    store(out + c, most);
  }
}

static void mean_cells(const float *const *cell, int n, int count, int channels, float *out) {
  for (int c = 0; c < channels; c += W) {
    vec sum = load(cell[0] + c);
    for (int i = 1; i < n; i++)
      sum += load(cell[i] + c);
    store(out + c, sum / (float)count);
  }
}

/* Values that are combined before they are activated: both while they are in the first-level cache.
 */
enum { RUN = 1024 };

INLINE void combine_run(const float *a, const float *b, size_t n, float *out, epilogue finish) {
  const vec low = splat(finish.low), high = splat(finish.high);
  if (b)
    for (size_t i = 0; i < n; i += W)
      store(out + i, clamp(load(a + i) + load(b + i), low, high));
  else
    for (size_t i = 0; i < n; i += W)
      store(out + i, clamp(load(a + i), low, high));
  finish_rows(out, 1, 0, n, finish);
}

static void combine(const float *a, const float *b, size_t n, float *out, epilogue finish) {
  for (size_t i = 0; i < n; i += RUN) {
    const float *other = NULL;
    if (b)
      other = b + i;
    combine_run(a + i, other, min_size(RUN, n - i), out + i, finish);
  }
}

static void multiply_values(const float *a, const float *b, size_t n, float *out, epilogue finish) {
  const vec low = splat(finish.low), high = splat(finish.high);
  for (size_t begin = 0, end; begin < n; begin = end) {
    end = begin + min_size(RUN, n - begin);
    for (size_t i = begin; i < end; i += W)
      store(out + i, clamp(load(a + i) * load(b + i), low, high));
    finish_rows(out + begin, 1, 0, end - begin, finish);
  }
}

static void scale_cells(const float *in, int cells, int channels, const float *scale,
                        const float *shift, float *out, epilogue finish) {
  const vec low = splat(finish.low), high = splat(finish.high);
  for (int m = 0; m < cells; m++, in += channels, out += channels) {
    if (shift)
      for (int c = 0; c < channels; c += W)
        store(out + c, clamp(load(in + c) * load(scale + c) + load(shift + c), low, high));
    else
      for (int c = 0; c < channels; c += W)
        store(out + c, clamp(load(in + c) * load(scale + c), low, high));
    finish_rows(out, 1, 0, (size_t)channels, finish);
  }
}

INLINE float sum_of(vec x) {
  float sum = 0;
  for (int i = 0; i < W; i++)
    sum += x[i];
  return sum;
}

/* The first n of a vector's floats, n possibly more than it has; else 0. */
INLINE vec first_of(vec x, int n) {
  ivec index;
  for (int i = 0; i < W; i++)
    index[i] = i;
  return (vec)((ivec)x & (index < n));
}

static void normalize_cells(const float *in, int cells, int channels, int stride,
                            const float *scale, const float *shift, float epsilon, float *out,
                            epilogue finish) {
  const vec low = splat(finish.low), high = splat(finish.high);
  for (int m = 0; m < cells; m++, in += stride, out += stride) {
    vec sum = {0}, squares = {0};
    for (int c = 0; c < channels; c += W)
      sum += first_of(load(in + c), channels - c);
    const vec mean = splat(sum_of(sum) / (float)channels);
    for (int c = 0; c < channels; c += W) {
      const vec from_mean = first_of(load(in + c) - mean, channels - c);
      squares += from_mean * from_mean;
    }
    const vec factor = splat(1 / sqrtf(sum_of(squares) / (float)channels + epsilon));
    for (int c = 0; c < channels; c += W)
      store(out + c,
            clamp((load(in + c) - mean) * factor * load(scale + c) + load(shift + c), low, high));
    finish_rows(out, 1, 0, (size_t)stride, finish);
  }
}

/* `vectors` vectors of channels at once; the cells by turns into four sums each. */
INLINE void average_vectors(const float *in, int cells, ptrdiff_t stride, const int vectors,
                            float *out) {
  vec sum[4][4] = {{{0}}};
  int i = 0;
  for (; i + 4 <= cells; i += 4)
#pragma GCC unroll 4
    for (int turn = 0; turn < 4; turn++)
#pragma GCC unroll 4
      for (int j = 0; j < vectors; j++)
        sum[turn][j] += load(in + (i + turn) * stride + j * W);
  for (; i < cells; i++)
    for (int j = 0; j < vectors; j++)
      sum[i & 3][j] += load(in + i * stride + j * W);
  for (int j = 0; j < vectors; j++)
    store(out + j * W, ((sum[0][j] + sum[1][j]) + (sum[2][j] + sum[3][j])) / (float)cells);
}

static void average(const float *in, int cells, ptrdiff_t stride, int channels, float *out) {
  int c = 0;
  for (; c + 4 * W <= channels; c += 4 * W)
    average_vectors(in + c, cells, stride, 4, out + c);
  for (; c < channels; c += W)
    average_vectors(in + c, cells, stride, 1, out + c);
}

/* ---- probes ---- */

enum { CHAINS = ROWS * 2 /* as many accumulators as the tile of `product` */ };

static float probe_arithmetic(int64_t n) {
  vec sum[CHAINS];
  for (int i = 0; i < CHAINS; i++)
    sum[i] = splat((float)(n + i));
  const vec tiny = splat(
      0x1p-30f); /* rounded away, which the compiler cannot know as it does not know n */
  for (int64_t k = 0; k < n * 24 / CHAINS; k++)
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++)
      sum[i] += sum[i] * tiny; /* the sum is overwritten: NEON has no other form */
  float all = 0;
  for (int i = 0; i < CHAINS; i++)
    all += sum[i][0];
  return all;
}

static float probe_memory(const float *p, size_t n) {
  vec sum[4] = {{0}};
  for (size_t i = 0; i < n; i += 4 * W)
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
      sum[j] += load(p + i + j * W);
  return ((sum[0] + sum[1]) + (sum[2] + sum[3]))[0];
}

const kernels KERNELS = {
    .isa = KERNELS_ISA,
    .width = W,
    .tile_rows = ROWS,
    .product = product,
    .depthwise = depthwise,
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
    .max_cells = max_cells,
    .mean_cells = mean_cells,
    .combine = combine,
    .multiply = multiply_values,
    .affine = scale_cells,
    .normalize = normalize_cells,
    .average = average,
    .probe_arithmetic = probe_arithmetic,
    .probe_memory = probe_memory,
};
