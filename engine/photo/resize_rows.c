/* resize_rows.c - resize_rows.h. Flow: resize -> [rows] -> resize.   Thread: any. Compiled once per
 * instruction set: RESIZE_ROWS is the table's name. */
#include "resize_rows.h"
#include <string.h>
#if defined __SSE2__
#include <immintrin.h>
#elif defined __ARM_NEON
#include <arm_neon.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "halves of lanes are taken in this order");

/* ---- Vectors: registers of VECTOR bytes, in lanes of 16 that no operation crosses ---- */
#if defined __AVX512BW__
enum { VECTOR = 64 };
#define OPERATION(name) _mm512_##name
typedef __m512i native;
#elif defined __AVX2__
enum { VECTOR = 32 };
#define OPERATION(name) _mm256_##name
typedef __m256i native;
#else
enum { VECTOR = 16 };
#define OPERATION(name) _mm_##name
#if defined __SSE2__
typedef __m128i native;
#endif
#endif
enum { LANES = VECTOR / 16 };
typedef uint8_t vu8 __attribute__((vector_size(VECTOR)));
typedef int16_t vi16 __attribute__((vector_size(VECTOR)));
typedef int32_t vi32 __attribute__((vector_size(VECTOR)));
typedef uint32_t vu32 __attribute__((vector_size(VECTOR)));

static inline vu8 load(const uint8_t *p) {
  vu8 v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline vi16 splat(uint32_t two) { return (vi16)((vu32){0} + two); }

#if defined __SSE2__ && !defined RESIZE_PLAIN
static inline vu8 interleave_low(vu8 a, vu8 b) {
  return (vu8)OPERATION(unpacklo_epi8)((native)a, (native)b);
}
static inline vu8 interleave_high(vu8 a, vu8 b) {
  return (vu8)OPERATION(unpackhi_epi8)((native)a, (native)b);
}
/* Each 32-bit lane: a[0] * b[0] + a[1] * b[1] of its two 16-bit halves. */
static inline vu32 multiply_pairs(vi16 a, vi16 b) {
  return (vu32)OPERATION(madd_epi16)((native)a, (native)b);
}
/* Four lanes of 0 to 255 each -> bytes. */
static inline vu8 narrow(vi32 a, vi32 b, vi32 c, vi32 d) {
  return (vu8)OPERATION(packus_epi16)(OPERATION(packs_epi32)((native)a, (native)b),
                                      OPERATION(packs_epi32)((native)c, (native)d));
}
#else
static inline vu8 interleave_low(vu8 a, vu8 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline vu8 interleave_high(vu8 a, vu8 b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}
static inline vu32 multiply_pairs(vi16 a, vi16 b) {
#if defined __ARM_NEON && !defined RESIZE_PLAIN
  return (vu32)vpaddq_s32(vmull_s16(vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b)),
                          vmull_high_s16((int16x8_t)a, (int16x8_t)b));
#else
  vi32 x = (vi32)a, y = (vi32)b;
  return (vu32)(((vi32)((vu32)x << 16) >> 16) * ((vi32)((vu32)y << 16) >> 16) +
                (x >> 16) * (y >> 16));
#endif
}
static inline vu8 narrow(vi32 a, vi32 b, vi32 c, vi32 d) {
  vi16 ab = __builtin_shufflevector((vi16)a, (vi16)b, 0, 2, 4, 6, 8, 10, 12, 14);
  vi16 cd = __builtin_shufflevector((vi16)c, (vi16)d, 0, 2, 4, 6, 8, 10, 12, 14);
  return __builtin_shufflevector((vu8)ab, (vu8)cd, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                 26, 28, 30);
}
#endif
static inline vi16 widen_low(vu8 a) { return (vi16)interleave_low(a, (vu8){0}); }
static inline vi16 widen_high(vu8 a) { return (vi16)interleave_high(a, (vu8){0}); }

/* The two sums of a weight's halves -> pixels 0 to 255, one a 32-bit lane. */
static inline vi32 finish(vu32 hi, vu32 lo) {
  vi32 sum = (vi32)((hi << RESIZE_SPLIT) + lo + (1u << (RESIZE_PRECISION - 1))) >> RESIZE_PRECISION;
  sum &= ~(sum >> 31);
  vi32 over = sum > 255;
  return (sum & ~over) | (over & 255);
}

/* ---- Pixels in pairs, 16 bytes at a time on every machine ---- */
typedef uint8_t v16u8 __attribute__((vector_size(16)));
typedef uint64_t v2u64 __attribute__((vector_size(16)));

static inline v16u8 load8(const uint8_t *p) {
  uint64_t low;
  memcpy(&low, p, sizeof low);
  return (v16u8)(v2u64){low, 0};
}
static inline v16u8 interleave8(v16u8 a, v16u8 b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/* Two pixels; 5 bytes more can be read. */
static inline void spread_two(const uint8_t *pixels, int16_t *two) {
  const v16u8 numbers = interleave8(interleave8(load8(pixels), load8(pixels + 3)), (v16u8){0});
  memcpy(two, &numbers, sizeof numbers);
}

static void spread(const uint8_t *row, int width, int r, resize_spread *out) {
  const int n = width / 2;
  int i = 0;
  for (; i + 1 < n; i++)
    spread_two(row + 6 * i, out[i][r]);
  for (; i < (width + 1) / 2; i++) {
    uint8_t last[16] = {0};
    const int left = width - 2 * i;
    memcpy(last, row + 6 * i, left < 2 ? 3 : 6);
    spread_two(last, out[i][r]);
  }
}

/* ---- Horizontal pass: a row of the band in each lane, LANES of them in a vector ---- */
enum { VECTORS = RESIZE_BAND / LANES };
_Static_assert(VECTORS *VECTOR == sizeof(resize_spread), "a band's pairs fill vectors");

static void across(const resize_spread *spread, const taps *t, int outputs, uint8_t *out,
                   size_t stride) {
  for (int o = 0; o < outputs; o++) {
    const pair *weights = t->pairs + (size_t)o * (size_t)t->most;
    const uint8_t *pixels = (const uint8_t *)(spread + t->first[o] / 2);
    vu32 hi[VECTORS] = {{0}}, lo[VECTORS] = {{0}};
    for (int i = 0; i < t->count[o]; i++, pixels += sizeof *spread) {
      const vi16 weight_hi = splat(weights[i].hi), weight_lo = splat(weights[i].lo);
#pragma GCC unroll 4 /* keeps the sums in registers */
      for (int v = 0; v < VECTORS; v++) {
        const vi16 two = (vi16)load(pixels + v * VECTOR);
        hi[v] += multiply_pairs(two, weight_hi);
        lo[v] += multiply_pairs(two, weight_lo);
      }
    }
    vi32 sums[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
      sums[v] = finish(hi[v], lo[v]);
    const vu8 all = narrow(sums[0], sums[1 % VECTORS], sums[2 % VECTORS], sums[3 % VECTORS]);
#pragma GCC unroll 4
    for (int r = 0; r < RESIZE_BAND; r++)
      memcpy(out + (size_t)r * stride + 3 * o,
             (const uint8_t *)&all + 16 * (r % LANES) + 4 * (r / LANES), 4);
  }
}

/* ---- Vertical pass ---- */
static void down(const uint8_t *const *rows, const pair *weights, int n, size_t bytes,
                 uint8_t *out) {
  for (size_t x = 0; x < bytes; x += VECTOR) {
    vu32 hi[4] = {{0}}, lo[4] = {{0}};
    for (int i = 0; i < n; i++) {
      const vi16 weight_hi = splat(weights[i].hi), weight_lo = splat(weights[i].lo);
      const vu8 a = load(rows[2 * i] + x), b = load(rows[2 * i + 1] + x),
                low = interleave_low(a, b), high = interleave_high(a, b);
      const vi16 pixels[4] = {widen_low(low), widen_high(low), widen_low(high), widen_high(high)};
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        hi[j] += multiply_pairs(pixels[j], weight_hi);
        lo[j] += multiply_pairs(pixels[j], weight_lo);
      }
    }
    const vu8 block = narrow(finish(hi[0], lo[0]), finish(hi[1], lo[1]), finish(hi[2], lo[2]),
                             finish(hi[3], lo[3]));
    memcpy(out + x, &block, sizeof block);
  }
}

const resize_rows RESIZE_ROWS = {spread, across, down};
