/* resize.c - antialiased bicubic scaling, to the bit what Pillow gives. Flow: decode -> [resize] ->
 * forward; photo -> overlay. Filter: Keys, "Cubic Convolution Interpolation for Digital Image
 * Processing", IEEE ASSP 1981, a = -0.5; its support grows with the scale when shrinking. Order:
 * horizontal, rounded to 8 bits, vertical. Rows that the vertical pass still needs live in a ring,
 * so memory does not grow with the photo's height. */
#include "resize.h"
#include "cam_minmax.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined __SSE2__
#include <emmintrin.h>
#elif defined __ARM_NEON
#include <arm_neon.h>
#endif

enum {
  PRECISION = 22, /* bits of a weight's fraction: see Weights */
  SPLIT = 15,     /* bits of a weight's low half, so that it is a positive 16-bit number */
  BAND = 4,       /* rows of the horizontal pass that share each weight */
  BLOCK = 16,     /* bytes of the vertical pass that share each weight */
};

/* ---- Vectors: one 128-bit register of any machine ---- */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "halves of lanes are taken in this order");
typedef uint8_t v16u8 __attribute__((vector_size(16)));
typedef int16_t v8i16 __attribute__((vector_size(16)));
typedef int32_t v4i32 __attribute__((vector_size(16)));
typedef uint32_t v4u32 __attribute__((vector_size(16)));
typedef uint64_t v2u64 __attribute__((vector_size(16)));

static inline v16u8 load16(const uint8_t *p) {
  v16u8 v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline v16u8 load8(const uint8_t *p) {
  uint64_t low;
  memcpy(&low, p, sizeof low);
  return (v16u8)(v2u64){low, 0};
}
static inline v16u8 interleave_low(v16u8 a, v16u8 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline v16u8 interleave_high(v16u8 a, v16u8 b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}
static inline v8i16 widen_low(v16u8 a) { return (v8i16)interleave_low(a, (v16u8){0}); }
static inline v8i16 widen_high(v16u8 a) { return (v8i16)interleave_high(a, (v16u8){0}); }
/* Each 32-bit lane: a[0] * b[0] + a[1] * b[1] of its two 16-bit halves. */
static inline v4u32 multiply_pairs(v8i16 a, v8i16 b) {
#if defined __SSE2__ && !defined RESIZE_PLAIN
  return (v4u32)_mm_madd_epi16((__m128i)a, (__m128i)b);
#elif defined __ARM_NEON && !defined RESIZE_PLAIN
  return (v4u32)vpaddq_s32(vmull_s16(vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b)),
                           vmull_high_s16((int16x8_t)a, (int16x8_t)b));
#else
  v4i32 x = (v4i32)a, y = (v4i32)b;
  return (v4u32)(((v4i32)((v4u32)x << 16) >> 16) * ((v4i32)((v4u32)y << 16) >> 16) +
                 (x >> 16) * (y >> 16));
#endif
}
static inline v8i16 splat(uint32_t pair) { return (v8i16)(v4u32){pair, pair, pair, pair}; }

/* The two sums of a weight's halves -> pixels 0 to 255, one a lane. */
static inline v4i32 finish(v4u32 hi, v4u32 lo) {
  v4i32 sum = (v4i32)((hi << SPLIT) + lo + (1u << (PRECISION - 1))) >> PRECISION;
  sum &= ~(sum >> 31);
  v4i32 over = sum > 255;
  return (sum & ~over) | (over & 255);
}
/* Four lanes of 0 to 255 each -> bytes. */
static inline v16u8 narrow(v4i32 a, v4i32 b, v4i32 c, v4i32 d) {
#if defined __SSE2__ && !defined RESIZE_PLAIN
  return (v16u8)_mm_packus_epi16(_mm_packs_epi32((__m128i)a, (__m128i)b),
                                 _mm_packs_epi32((__m128i)c, (__m128i)d));
#else
  v8i16 ab = __builtin_shufflevector((v8i16)a, (v8i16)b, 0, 2, 4, 6, 8, 10, 12, 14);
  v8i16 cd = __builtin_shufflevector((v8i16)c, (v8i16)d, 0, 2, 4, 6, 8, 10, 12, 14);
  return __builtin_shufflevector((v16u8)ab, (v16u8)cd, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
                                 24, 26, 28, 30);
#endif
}

/* ---- Weights ----
 *
 * Idea. Pillow's weights are whole numbers: k = round(w * 2^22), where the w of one output sum
 * to 1. An output is (sum(p * k) + 2^21) >> 22, clamped to 0..255. Of 32 bits the pixel p takes 8
 * and the weight 22; 2 are left for the sign and for sums above 1, because a bicubic filter has
 * negative lobes. SSE2 and NEON have no fast product of 32 bits, but "multiply pairs of 16 bits and
 * add". So each weight is cut in two, exactly: k = hi * 2^15 + lo with 0 <= lo < 2^15; hi keeps the
 * sign. Both halves and every pixel are 16-bit numbers, and
 *
 *   sum(p * k) = sum(p * hi) * 2^15 + sum(p * lo).
 *
 * Layout. An output reads neighbouring inputs, two at a time: a `pair` has the halves of the
 * weights of inputs 2i and 2i + 1, the first in the low 16 bits, as multiply_pairs wants them
 * beside the two pixels. The reading begins at an even input (`first`), so that inputs are paired
 * once for all outputs; inputs that an output does not use have weight 0 in its pairs.
 *
 * Invariant. Lanes count modulo 2^32. The two sums and the shift may wrap; the true sum fits 32
 * bits with its sign, so what is left after wrapping is the true sum. It does not depend on the
 * order of additions nor on the instruction set: every machine gives the same pixels, and they are
 * Pillow's.
 */
typedef struct pair {
  uint32_t hi, lo;
} pair;
typedef struct taps {
  int most;    /* pairs that an output reads at most */
  int *first;  /* [outputs] even index of the first input read; never falls */
  int *count;  /* [outputs] pairs read; the last one may reach one past the end, with weight 0 */
  pair *pairs; /* [outputs, most] */
} taps;

static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0)
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0)
    return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static void taps_free(taps *t) {
  free(t->first);
  free(t->count);
  free(t->pairs);
}

/* The inputs of one output, [least, end), and their weights, which sum to 1. */
typedef struct window {
  int least, end;
  double *weights; /* [end - least] */
} window;

/* Weights to the last bit of the double need each product rounded by itself: the Makefile turns
 * fused multiply-adds off in this file. */
static void weigh(window *w, int output, double scale, double filter_scale, int inputs) {
  const double center = (output + 0.5) * scale, support = 2.0 * filter_scale,
               step = 1.0 / filter_scale;
  w->least = max_int((int)(center - support + 0.5), 0);
  w->end = min_int((int)(center + support + 0.5), inputs);
  double sum = 0;
  for (int i = w->least; i < w->end; i++) {
    const double weight = bicubic((i - center + 0.5) * step);
    w->weights[i - w->least] = weight;
    sum += weight;
  }
  for (int i = w->least; sum != 0 && i < w->end; i++)
    w->weights[i - w->least] /= sum;
}

/* To the nearest whole number of 2^-22; halves away from 0. */
static int to_fixed(double weight) {
  const double half = weight < 0 ? -0.5 : 0.5;
  return (int)(half + weight * (1 << PRECISION));
}

static void put_weights(taps *t, int output, const window *w) {
  const int first = w->least & ~1;
  t->first[output] = first;
  t->count[output] = (w->end - first + 1) / 2;
  pair *pairs = t->pairs + (size_t)output * t->most;
  for (int i = w->least; i < w->end; i++) {
    const int fixed = to_fixed(w->weights[i - w->least]), at = i - first, shift = 16 * (at % 2);
    pairs[at / 2].hi |= (uint32_t)(uint16_t)(fixed >> SPLIT) << shift;
    pairs[at / 2].lo |= (uint32_t)(fixed & ((1 << SPLIT) - 1)) << shift;
  }
}

static bool taps_make(taps *t, int inputs, int outputs) {
  const double scale = (double)inputs / outputs, filter_scale = fmax(scale, 1.0);
  const int room = (int)ceil(2.0 * filter_scale) * 2 + 1;
  t->most = room / 2 + 1;
  t->first = malloc(outputs * sizeof *t->first);
  t->count = malloc(outputs * sizeof *t->count);
  t->pairs = calloc((size_t)outputs * t->most, sizeof *t->pairs);
  window w = {.weights = malloc(room * sizeof *w.weights)};
  const bool ok = t->first && t->count && t->pairs && w.weights;
  for (int o = 0; ok && o < outputs; o++) {
    weigh(&w, o, scale, filter_scale, inputs);
    put_weights(t, o, &w);
  }
  free(w.weights);
  return ok;
}

/* ---- Horizontal pass: BAND rows of the photo -> BAND rows of the ring ---- */

/* A row as 16-bit numbers R0 R1 G0 G1 B0 B1 x x for each pair of neighbouring pixels (x: anything;
 * past the end: 0). */
static void spread(const uint8_t *row, int width, v8i16 *pairs) {
  const int n = width / 2;
  int i = 0;
  for (; i + 1 < n; i++)
    pairs[i] = widen_low(interleave_low(load8(row + 6 * i), load8(row + 6 * i + 3)));
  for (; i < (width + 1) / 2; i++) {
    uint8_t last[16] = {0};
    memcpy(last, row + 6 * i, 3 * min_int(width - 2 * i, 2));
    pairs[i] = widen_low(interleave_low(load8(last), load8(last + 3)));
  }
}

static void scale_band(v8i16 *const rows[BAND], const taps *t, int outputs, uint8_t *out,
                       size_t stride) {
  for (int o = 0; o < outputs; o++) {
    const pair *weights = t->pairs + (size_t)o * t->most;
    int first = t->first[o] / 2, n = t->count[o];
    v4u32 hi[BAND] = {{0}}, lo[BAND] = {{0}};
    for (int i = 0; i < n; i++) {
      v8i16 weight_hi = splat(weights[i].hi), weight_lo = splat(weights[i].lo);
#pragma GCC unroll 4 /* keeps the sums in registers */
      for (int r = 0; r < BAND; r++) {
        hi[r] += multiply_pairs(rows[r][first + i], weight_hi);
        lo[r] += multiply_pairs(rows[r][first + i], weight_lo);
      }
    }
    v16u8 pixels = narrow(finish(hi[0], lo[0]), finish(hi[1], lo[1]), finish(hi[2], lo[2]),
                          finish(hi[3], lo[3]));
    for (int r = 0; r < BAND; r++)
      memcpy(out + r * stride + 3 * o, (const uint8_t *)&pixels + 4 * r, 4);
  }
}

/* ---- Vertical pass: rows of the ring -> one row ---- */
static void resample_row(const uint8_t *const *rows, const pair *weights, int n, size_t bytes,
                         uint8_t *out) {
  for (size_t x = 0; x < bytes; x += BLOCK) {
    v4u32 hi[4] = {{0}}, lo[4] = {{0}};
    for (int i = 0; i < n; i++) {
      v8i16 weight_hi = splat(weights[i].hi), weight_lo = splat(weights[i].lo);
      v16u8 a = load16(rows[2 * i] + x), b = load16(rows[2 * i + 1] + x),
            low = interleave_low(a, b), high = interleave_high(a, b);
      const v8i16 pixels[4] = {widen_low(low), widen_high(low), widen_low(high), widen_high(high)};
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        hi[j] += multiply_pairs(pixels[j], weight_hi);
        lo[j] += multiply_pairs(pixels[j], weight_lo);
      }
    }
    v16u8 block = narrow(finish(hi[0], lo[0]), finish(hi[1], lo[1]), finish(hi[2], lo[2]),
                         finish(hi[3], lo[3]));
    memcpy(out + x, &block, BLOCK);
  }
}

/* ---- Both ---- */
typedef struct scaler {
  const cam_image *in;
  taps across, down;    /* down.most is 0 where the height stays */
  size_t stride;        /* of a ring row: whole blocks, and one byte more than the pixels */
  int ring_rows, made;  /* rows made so far: 0 to made - 1, the last ring_rows of them kept */
  uint8_t *ring, *row;  /* [ring_rows, stride]; [stride] */
  const uint8_t **rows; /* what resample_row reads */
  v8i16 *spread[BAND];
} scaler;

static void make_band(scaler *s, int width) {
  const cam_image *in = s->in;
  uint8_t *out = s->ring + (size_t)(s->made % s->ring_rows) * s->stride;
  for (int r = 0; r < BAND; r++) {
    const uint8_t *row = in->rgb + (size_t)min_int(s->made + r, in->height - 1) * in->width * 3;
    if (s->across.most)
      spread(row, in->width, s->spread[r]);
    else
      memcpy(out + r * s->stride, row, (size_t)width * 3);
  }
  if (s->across.most)
    scale_band(s->spread, &s->across, width, out, s->stride);
  s->made += BAND;
}

static const uint8_t *need_row(scaler *s, int y, int width) {
  y = min_int(y, s->in->height - 1);
  while (s->made <= y)
    make_band(s, width);
  return s->ring + (size_t)(y % s->ring_rows) * s->stride;
}

static bool scaler_make(scaler *s, const cam_image *in, int width, int height) {
  s->in = in;
  if (width != in->width && !taps_make(&s->across, in->width, width))
    return false;
  if (height != in->height && !taps_make(&s->down, in->height, height))
    return false;
  s->stride = ((size_t)width * 3 + 1 + BLOCK - 1) / BLOCK * BLOCK;
  s->ring_rows = (min_int(2 * s->down.most + BAND, in->height) + BAND - 1) / BAND * BAND;
  s->ring = calloc(s->ring_rows, s->stride);
  s->row = malloc(s->stride);
  s->rows = malloc((2 * s->down.most + 1) * sizeof *s->rows);
  const size_t spread_bytes = ((size_t)in->width + 1) / 2 * sizeof(v8i16);
  for (int r = 0; r < BAND; r++) {
    s->spread[r] = aligned_alloc(sizeof(v8i16), spread_bytes);
    if (!s->spread[r])
      return false;
  }
  return s->ring && s->row && s->rows;
}

static void scaler_free(scaler *s) {
  taps_free(&s->across);
  taps_free(&s->down);
  free(s->ring);
  free(s->row);
  free(s->rows);
  for (int r = 0; r < BAND; r++)
    free(s->spread[r]);
}

cam_code resize_bicubic(const cam_image *in, int width, int height, cam_image *out,
                        cam_error *error) {
  scaler s = {0};
  cam_code code = CAM_OK;
  if (!image_alloc(out, width, height) || !scaler_make(&s, in, width, height)) {
    image_free(out);
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory to scale %d x %d pixels to %d x %d",
                    in->width, in->height, width, height);
    goto out;
  }
  size_t bytes = (size_t)width * 3;
  for (int y = 0; y < height; y++) {
    const uint8_t *row = s.row;
    if (s.down.most) {
      int n = s.down.count[y];
      for (int i = 0; i < 2 * n; i++)
        s.rows[i] = need_row(&s, s.down.first[y] + i, width);
      resample_row(s.rows, s.down.pairs + (size_t)y * s.down.most, n, bytes, s.row);
    } else {
      row = need_row(&s, y, width);
    }
    memcpy(out->rgb + y * bytes, row, bytes);
  }
out:
  scaler_free(&s);
  return code;
}
