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
#include <math.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __ARM_NEON
#include <arm_neon.h>
#endif

#if defined __AVX512F__
enum { W = 16 };
#define ROWS 12
#elif defined __AVX__
enum { W = 8 };
#define ROWS 6
#elif defined __ARM_NEON
enum { W = 4 };
#define ROWS 10
#else
enum { W = 4 };
#define ROWS 6
#endif
enum { COLUMNS = 7 /* output cells in registers of `depthwise` */ };

typedef float vec __attribute__((vector_size(4 * W)));
typedef float vec_any
    __attribute__((vector_size(4 * W), aligned(4), may_alias)); /* in memory, at any address */
#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const float *p) { return *(const vec_any *)p; }
INLINE void store(float *p, vec x) { *(vec_any *)p = x; }
INLINE vec splat(float x) { return x - (vec){0}; }

/* Maximum and minimum as one instruction; a NaN in x gives the other operand, as on x86. */
#if defined __AVX512F__
INLINE vec max(vec x, vec y) { return (vec)_mm512_max_ps((__m512)x, (__m512)y); }
INLINE vec min(vec x, vec y) { return (vec)_mm512_min_ps((__m512)x, (__m512)y); }
#elif defined __AVX__
INLINE vec max(vec x, vec y) { return (vec)_mm256_max_ps((__m256)x, (__m256)y); }
INLINE vec min(vec x, vec y) { return (vec)_mm256_min_ps((__m256)x, (__m256)y); }
#elif defined __SSE2__
INLINE vec max(vec x, vec y) { return (vec)_mm_max_ps((__m128)x, (__m128)y); }
INLINE vec min(vec x, vec y) { return (vec)_mm_min_ps((__m128)x, (__m128)y); }
#elif defined __ARM_NEON
INLINE vec max(vec x, vec y) { return (vec)vmaxnmq_f32((float32x4_t)x, (float32x4_t)y); }
INLINE vec min(vec x, vec y) { return (vec)vminnmq_f32((float32x4_t)x, (float32x4_t)y); }
#else
INLINE vec max(vec x, vec y) {
  for (int i = 0; i < W; i++)
    x[i] = x[i] > y[i] ? x[i] : y[i];
  return x;
}
INLINE vec min(vec x, vec y) {
  for (int i = 0; i < W; i++)
    x[i] = x[i] < y[i] ? x[i] : y[i];
  return x;
}
#endif
INLINE vec clamp(vec x, vec low, vec high) { return min(max(x, low), high); }

/* ---- activations other than clamping: in place, over rows of n floats ---- */

typedef int32_t ivec __attribute__((vector_size(4 * W)));

/* e^x to a relative error of 1e-6; x is taken to be within -87..88, where e^x is a normal float.
 * x / ln(2) is n + f with n whole and |f| <= 1/2, and e^x is 2^n * 2^f. Adding 1.5 * 2^23 rounds to
 * n and leaves n in the low bits of the sum; shifted into the exponent's place they multiply by
 * 2^n.
 */
INLINE vec exponential(vec x) {
  const vec magic = splat(0x1.8p23f), limited = clamp(x, splat(-87), splat(88));
  const vec shifted = limited * 1.44269504f + magic;
  const vec f = limited * 1.44269504f - (shifted - magic);
  const vec curve =
      ((((1.32647133e-3f * f + 9.67152324e-3f) * f + 5.55073395e-2f) * f + 2.40222424e-1f) * f +
       6.93147004e-1f) *
          f +
      1;
  return (vec)((ivec)curve + ((ivec)shifted << 23));
}

INLINE vec sigmoid(vec x) { return 1 / (1 + exponential(-x)); }

/* max(x, 0) - |x| / 2 * erfc(|x| / sqrt(2)), erfc after Abramowitz and Stegun, 7.1.26: an absolute
 * error of 1.5e-7, that of a negative x in proportion to the result. */
INLINE vec gelu(vec x) {
  const vec size = max(x, -x), t = 1 / (1 + 0.3275911f * 0.70710678f * size);
  const vec curve = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) *
                         t +
                     0.254829592f) *
                    t;
  return max(x, splat(0)) - 0.5f * size * curve * exponential(-0.5f * size * size);
}

INLINE vec activation_of(const activation_kind kind, vec x, epilogue finish) {
  switch (kind) {
  case SIGMOID:
    return sigmoid(x);
  case SILU:
    return max(x, splat(-88)) * sigmoid(x); /* sigmoid is never 0 */
  case HARD_SIGMOID:
    return clamp(finish.slope * x + finish.offset, splat(0), splat(1));
  case HARD_SWISH:
    return x * clamp(finish.slope * x + finish.offset, splat(0), splat(1));
  case GELU:
    return gelu(x);
  default:
    return x;
  }
}

INLINE void activate_rows(const activation_kind kind, float *p, int rows, ptrdiff_t stride,
                          size_t n, epilogue finish) {
  for (int i = 0; i < rows; i++, p += stride)
    for (size_t c = 0; c < n; c += W)
      store(p + c, activation_of(kind, load(p + c), finish));
}

/* Not inlined: one piece of code, so that a value gives the same bits whichever kernel calls. */
static __attribute__((noinline)) void finish_rows(float *p, int rows, ptrdiff_t stride, size_t n,
                                                  epilogue finish) {
  switch (finish.kind) {
  case CLAMP:
    break;
  case SIGMOID:
    activate_rows(SIGMOID, p, rows, stride, n, finish);
    break;
  case SILU:
    activate_rows(SILU, p, rows, stride, n, finish);
    break;
  case HARD_SIGMOID:
    activate_rows(HARD_SIGMOID, p, rows, stride, n, finish);
    break;
  case HARD_SWISH:
    activate_rows(HARD_SWISH, p, rows, stride, n, finish);
    break;
  case GELU:
    activate_rows(GELU, p, rows, stride, n, finish);
    break;
  }
}

/* ---- product: register tiles of up to ROWS x 2 vectors; the sum runs over k from first to last,
 * starting at the bias ---- */

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

/* ---- Winograd F(4x4,3x3) and F(6x6,3x3): a tile is 36 or 64 vectors, so the compiler keeps a row
 * or a column in registers and the rest on the stack ---- */

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
