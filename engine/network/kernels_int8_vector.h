/* kernels_int8_vector.h - vectors of kernels_int8.c: what differs from one instruction set to the
 * next. The only file that includes it is compiled once for each.
 *
 * A vector has LANES sums of 32 bits, or as many `quads` of 4 bytes. The step that all is made of
 * is
 *   sum[lane] += sum over k in 0..3 of u[lane][k] * w[lane][k]    u unsigned, w signed bytes
 * in PARTS instructions: dot(sum, part_of_quads(u, part), weights), weights being PARTS vectors in
 * the order that put_weight() makes of them:
 *   - with VNNI and NEON's dot product, one: the bytes as they are;
 *   - with AVX2, SSE2 and AVX-512 without VNNI, two: 16-bit products of the even and of the odd
 *     bytes, two neighbours added (vpmaddwd), which is exact; products of bytes (vpmaddubsw)
 *     saturate;
 *   - with NEON alone, one of three instructions: the products of bytes 0 and 1, plus those of 2
 * and 3, in 16 bits, then pairs of them added to the sums. 2 * 128 * 127 fits 16 bits. NEON has
 * products of signed bytes only: u - 128 takes the place of u, and the packed weights have 128
 * times their sum with them, a correction for each lane (SHIFTED). */
#ifndef KERNELS_INT8_VECTOR_H
#define KERNELS_INT8_VECTOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __ARM_NEON
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined __AVX512BW__
enum { LANES = 16 };
#elif defined __AVX2__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

#if defined __AVX512VNNI__ || defined __AVXVNNI__ || !defined __x86_64__
enum { PARTS = 1 };
#else
enum { PARTS = 2 };
#endif

#if defined __ARM_NEON
enum { SHIFTED = 1 };
#else
enum { SHIFTED = 0 };
#endif

enum { BYTES = 4 * LANES /* of a vector */ };

typedef uint8_t quads __attribute__((vector_size(BYTES)));
typedef uint32_t lanes __attribute__((vector_size(BYTES))); /* signed sums: they wrap, on the way */
typedef float reals __attribute__((vector_size(BYTES)));
typedef uint8_t quads_any __attribute__((vector_size(BYTES), aligned(1), may_alias));
typedef uint32_t lanes_any __attribute__((vector_size(BYTES), aligned(1), may_alias));
typedef float reals_any __attribute__((vector_size(BYTES), aligned(1), may_alias));

INLINE quads load_quads(const void *p) { return *(const quads_any *)p; }
INLINE lanes load_lanes(const void *p) { return *(const lanes_any *)p; }
INLINE reals load_reals(const void *p) { return *(const reals_any *)p; }
INLINE void store_quads(void *p, quads x) { *(quads_any *)p = x; }
INLINE void store_lanes(void *p, lanes x) { *(lanes_any *)p = x; }
INLINE lanes splat_lane(int32_t x) { return (uint32_t)x + (lanes){0}; }
INLINE reals splat_real(float x) { return x - (reals){0}; }

/* The 4 bytes at p in each lane. */
INLINE quads repeat_quad(const uint8_t *p) {
  uint32_t four;
  memcpy(&four, p, sizeof four);
  return (quads)(four + (lanes){0});
}

/* n bytes from further away into the second-level cache: a line here and there, whose neighbours
 * the hardware then fetches by itself. */
INLINE void ask_for(const uint8_t *p, size_t n) {
  enum { APART = 256 };
  for (size_t i = 0; i < n; i += APART)
    __builtin_prefetch(p + i, 0, 2);
}

/* The constraint of inline assembler for a vector in a register. */
#if defined __AVX512BW__
#define IN_REGISTER "v"
#elif defined __x86_64__
#define IN_REGISTER "x"
#elif defined __ARM_NEON
#define IN_REGISTER "w"
#else
#define IN_REGISTER "m"
#endif

/* 16 bytes, which padded cells are made of. */
typedef uint8_t cell_bytes __attribute__((vector_size(16)));
typedef uint8_t cell_bytes_any __attribute__((vector_size(16), aligned(1), may_alias));

INLINE cell_bytes larger_bytes(cell_bytes x, cell_bytes y) {
#if defined __x86_64__
  return (cell_bytes)_mm_max_epu8((__m128i)x, (__m128i)y);
#elif defined __ARM_NEON
  return (cell_bytes)vmaxq_u8((uint8x16_t)x, (uint8x16_t)y);
#else
  for (int i = 0; i < 16; i++)
    x[i] = x[i] > y[i] ? x[i] : y[i];
  return x;
#endif
}

/* ---- the step ---- */

#if defined __AVX512VNNI__
/* Not the intrinsic: gcc 12 copies and spills the sums. */
INLINE lanes dot(lanes sum, quads u, quads w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(w));
  return sum;
}
#elif defined __AVXVNNI__
INLINE lanes dot(lanes sum, quads u, quads w) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(u), "x"(w));
  return sum;
}
#elif defined __AVX512BW__
INLINE lanes dot(lanes sum, quads u, quads w) {
  return sum + (lanes)_mm512_madd_epi16((__m512i)u, (__m512i)w);
}
#elif defined __AVX2__
INLINE lanes dot(lanes sum, quads u, quads w) {
  return sum + (lanes)_mm256_madd_epi16((__m256i)u, (__m256i)w);
}
#elif defined __x86_64__
INLINE lanes dot(lanes sum, quads u, quads w) {
  return sum + (lanes)_mm_madd_epi16((__m128i)u, (__m128i)w);
}
#elif defined __ARM_FEATURE_DOTPROD
INLINE lanes dot(lanes sum, quads u, quads w) {
  __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(u), "w"(w)); /* likewise */
  return sum;
}
#elif defined __ARM_NEON
INLINE lanes dot(lanes sum, quads u, quads w) {
  int16x8_t pairs = vmull_s8(vget_low_s8((int8x16_t)u), vget_low_s8((int8x16_t)w));
  pairs = vmlal_high_s8(pairs, (int8x16_t)u, (int8x16_t)w);
  return (lanes)vpadalq_s16((int32x4_t)sum, pairs);
}
#else
INLINE lanes dot(lanes sum, quads u, quads w) {
  for (int i = 0; i < BYTES; i++)
    sum[i / 4] += (uint32_t)(u[i] * (int8_t)w[i]);
  return sum;
}
#endif

typedef uint16_t pairs_of_bytes __attribute__((vector_size(BYTES)));

INLINE quads part_of_quads(quads u, const int part) {
#if defined __ARM_NEON && !defined __ARM_FEATURE_DOTPROD
  (void)part; /* bytes 0 and 1 of each quad in the lower half, 2 and 3 in the upper one */
  const uint16x8_t x = (uint16x8_t)(u ^ 0x80);
  return (quads)vuzp1q_u16(x, vextq_u16(x, x, 1));
#elif defined __ARM_NEON
  (void)part;
  return u ^ 0x80;
#else
  if (PARTS == 1)
    return u;
  if (part == 0)
    return (quads)((pairs_of_bytes)u & 0xff);
  return (quads)((pairs_of_bytes)u >> 8);
#endif
}

/* Weight k of a lane, 0..3, into PARTS vectors. */
INLINE void put_weight(uint8_t *vectors, int lane, int k, int8_t w) {
#if defined __ARM_NEON && !defined __ARM_FEATURE_DOTPROD
  vectors[k / 2 * 8 + lane * 2 + k % 2] = (uint8_t)w;
#else
  if (PARTS == 1) {
    vectors[lane * 4 + k] = (uint8_t)w;
    return;
  }
  const int16_t wide = w;
  memcpy(vectors + k % 2 * BYTES + lane * 4 + k / 2 * 2, &wide, sizeof wide);
#endif
}

/* ---- sums to bytes ---- */

/* Of sums that are signed. */
INLINE reals reals_of(lanes x) {
  typedef int32_t whole __attribute__((vector_size(BYTES)));
  return __builtin_convertvector((whole)x, reals);
}

/* Where values go: see int8_range. */
typedef struct bounds {
  quads zero; /* in words of 16 bits */
  quads low, high;
  bool is_bare; /* zero is 0, and any byte may be: saturation is all that is to be done */
} bounds;

INLINE quads splat_byte(int x) { return (uint8_t)x + (quads){0}; }
INLINE quads splat_word(int x) { return (quads)((uint16_t)x + (pairs_of_bytes){0}); }

/* To the nearest, even, x being below 2^31; what is below -2^31 may become that. Then `zero` is
 * added and a, b, c, d, LANES values each, become bytes, low..high: 4 groups of LANES of them. */
#if defined __AVX512BW__
INLINE reals lower_of(reals x, reals y) { return (reals)_mm512_min_ps((__m512)x, (__m512)y); }
INLINE __m512i nearest_pair(reals a, reals b) {
  return _mm512_packs_epi32(_mm512_cvtps_epi32((__m512)a), _mm512_cvtps_epi32((__m512)b));
}
INLINE __m512i packed_bytes(const __m512i ab, const __m512i cd, const bounds *o) {
  if (o->is_bare)
    return _mm512_packus_epi16(ab, cd);
  const __m512i bytes = _mm512_packus_epi16(_mm512_adds_epi16(ab, (__m512i)o->zero),
                                            _mm512_adds_epi16(cd, (__m512i)o->zero));
  return _mm512_min_epu8(_mm512_max_epu8(bytes, (__m512i)o->low), (__m512i)o->high);
}
INLINE quads bytes_of(reals a, reals b, reals c, reals d, const bounds *o) {
  const __m512i groups = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return (quads)_mm512_permutexvar_epi32(groups,
                                         packed_bytes(nearest_pair(a, b), nearest_pair(c, d), o));
}
#elif defined __AVX2__
INLINE reals lower_of(reals x, reals y) { return (reals)_mm256_min_ps((__m256)x, (__m256)y); }
INLINE __m256i nearest_pair(reals a, reals b) {
  return _mm256_packs_epi32(_mm256_cvtps_epi32((__m256)a), _mm256_cvtps_epi32((__m256)b));
}
INLINE __m256i packed_bytes(const __m256i ab, const __m256i cd, const bounds *o) {
  if (o->is_bare)
    return _mm256_packus_epi16(ab, cd);
  const __m256i bytes = _mm256_packus_epi16(_mm256_adds_epi16(ab, (__m256i)o->zero),
                                            _mm256_adds_epi16(cd, (__m256i)o->zero));
  return _mm256_min_epu8(_mm256_max_epu8(bytes, (__m256i)o->low), (__m256i)o->high);
}
INLINE quads bytes_of(reals a, reals b, reals c, reals d, const bounds *o) {
  const __m256i groups = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  return (quads)_mm256_permutevar8x32_epi32(packed_bytes(nearest_pair(a, b), nearest_pair(c, d), o),
                                            groups);
}
#elif defined __x86_64__
INLINE reals lower_of(reals x, reals y) { return (reals)_mm_min_ps((__m128)x, (__m128)y); }
INLINE __m128i nearest_pair(reals a, reals b) {
  return _mm_packs_epi32(_mm_cvtps_epi32((__m128)a), _mm_cvtps_epi32((__m128)b));
}
INLINE __m128i packed_bytes(const __m128i ab, const __m128i cd, const bounds *o) {
  if (o->is_bare)
    return _mm_packus_epi16(ab, cd);
  const __m128i bytes = _mm_packus_epi16(_mm_adds_epi16(ab, (__m128i)o->zero),
                                         _mm_adds_epi16(cd, (__m128i)o->zero));
  return _mm_min_epu8(_mm_max_epu8(bytes, (__m128i)o->low), (__m128i)o->high);
}
INLINE quads bytes_of(reals a, reals b, reals c, reals d, const bounds *o) {
  return (quads)packed_bytes(nearest_pair(a, b), nearest_pair(c, d), o);
}
#elif defined __ARM_NEON
INLINE reals lower_of(reals x, reals y) {
  return (reals)vminnmq_f32((float32x4_t)x, (float32x4_t)y);
}
INLINE int16x8_t nearest_pair(reals a, reals b) {
  return vcombine_s16(vqmovn_s32(vcvtnq_s32_f32((float32x4_t)a)),
                      vqmovn_s32(vcvtnq_s32_f32((float32x4_t)b)));
}
INLINE quads bytes_of(reals a, reals b, reals c, reals d, const bounds *o) {
  const uint8x8_t ab = vqmovun_s16(vqaddq_s16(nearest_pair(a, b), (int16x8_t)o->zero));
  const uint8x8_t cd = vqmovun_s16(vqaddq_s16(nearest_pair(c, d), (int16x8_t)o->zero));
  return (quads)vminq_u8(vmaxq_u8(vcombine_u8(ab, cd), (uint8x16_t)o->low), (uint8x16_t)o->high);
}
#else
INLINE reals lower_of(reals x, reals y) {
  for (int i = 0; i < LANES; i++)
    x[i] = x[i] < y[i] ? x[i] : y[i];
  return x;
}
/* Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits of the sum. */
INLINE void put_rounded(quads *out, int at, reals x, const bounds *o) {
  const int zero = ((pairs_of_bytes)o->zero)[0];
  for (int i = 0; i < LANES; i++) {
    float value = x[i];
    if (value < (float)(o->low[0] - zero))
      value = (float)(o->low[0] - zero);
    if (value > (float)(o->high[0] - zero))
      value = (float)(o->high[0] - zero);
    const lanes magic = (lanes)(splat_real(value) + 0x1.8p23f);
    (*out)[at + i] = (uint8_t)((int)(magic[0] - 0x4b400000u) + zero);
  }
}
INLINE quads bytes_of(reals a, reals b, reals c, reals d, const bounds *o) {
  quads out;
  put_rounded(&out, 0, a, o);
  put_rounded(&out, LANES, b, o);
  put_rounded(&out, 2 * LANES, c, o);
  put_rounded(&out, 3 * LANES, d, o);
  return out;
}
#endif

/* ---- groups of LANES bytes in memory ---- */

/* LANES bytes as numbers; and the 4 groups of a vector to 4 places, or its halves to two. */
#if defined __AVX512BW__
INLINE lanes load_bytes(const uint8_t *p) {
  return (lanes)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
INLINE void store_quarters(quads x, uint8_t *const to[4]) {
  const __m256i low = _mm512_castsi512_si256((__m512i)x);
  const __m256i high = _mm512_extracti64x4_epi64((__m512i)x, 1);
  _mm_storeu_si128((__m128i *)to[0], _mm256_castsi256_si128(low));
  _mm_storeu_si128((__m128i *)to[1], _mm256_extracti128_si256(low, 1));
  _mm_storeu_si128((__m128i *)to[2], _mm256_castsi256_si128(high));
  _mm_storeu_si128((__m128i *)to[3], _mm256_extracti128_si256(high, 1));
}
INLINE void store_halves(quads x, uint8_t *first, uint8_t *second) {
  _mm256_storeu_si256((__m256i *)first, _mm512_castsi512_si256((__m512i)x));
  _mm256_storeu_si256((__m256i *)second, _mm512_extracti64x4_epi64((__m512i)x, 1));
}
#elif defined __AVX2__
INLINE lanes load_bytes(const uint8_t *p) {
  return (lanes)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
INLINE void store_quarters(quads x, uint8_t *const to[4]) {
  const __m128i low = _mm256_castsi256_si128((__m256i)x);
  const __m128i high = _mm256_extracti128_si256((__m256i)x, 1);
  _mm_storel_epi64((__m128i *)to[0], low);
  _mm_storeh_pd((double *)to[1], (__m128d)low);
  _mm_storel_epi64((__m128i *)to[2], high);
  _mm_storeh_pd((double *)to[3], (__m128d)high);
}
INLINE void store_halves(quads x, uint8_t *first, uint8_t *second) {
  _mm_storeu_si128((__m128i *)first, _mm256_castsi256_si128((__m256i)x));
  _mm_storeu_si128((__m128i *)second, _mm256_extracti128_si256((__m256i)x, 1));
}
#else
INLINE lanes load_bytes(const uint8_t *p) {
#if defined __x86_64__
  uint32_t four;
  memcpy(&four, p, sizeof four);
  const __m128i zero = _mm_setzero_si128(), bytes = _mm_cvtsi32_si128((int)four);
  return (lanes)_mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, zero), zero);
#else
  return (lanes){p[0], p[1], p[2], p[3]};
#endif
}
INLINE void store_quarters(quads x, uint8_t *const to[4]) {
  const lanes groups = (lanes)x;
  for (int i = 0; i < 4; i++) {
    const uint32_t group = groups[i];
    memcpy(to[i], &group, sizeof group);
  }
}
INLINE void store_halves(quads x, uint8_t *first, uint8_t *second) {
  typedef uint64_t halves __attribute__((vector_size(BYTES)));
  const uint64_t low = ((halves)x)[0], high = ((halves)x)[1];
  memcpy(first, &low, sizeof low);
  memcpy(second, &high, sizeof high);
}
#endif

/* ---- a table of 256 bytes, in registers where there are instructions for it ---- */

#if defined __AVX512VBMI__
typedef struct whole_table {
  __m512i quarter[4];
} whole_table;
INLINE whole_table load_table(const uint8_t *table) {
  whole_table t;
  for (int i = 0; i < 4; i++)
    t.quarter[i] = _mm512_loadu_si512(table + 64 * i);
  return t;
}
INLINE void look_up_run(const whole_table *t, const uint8_t *in, size_t n, uint8_t *out) {
  for (size_t i = 0; i < n; i += BYTES) {
    __mmask64 there = ~(__mmask64)0;
    if (n - i < BYTES)
      there >>= BYTES - (n - i);
    const __m512i x = _mm512_maskz_loadu_epi8(there, in + i);
    const __m512i low = _mm512_permutex2var_epi8(t->quarter[0], x, t->quarter[1]);
    const __m512i high = _mm512_permutex2var_epi8(t->quarter[2], x, t->quarter[3]);
    _mm512_mask_storeu_epi8(out + i, there,
                            _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
  }
}
#else
typedef struct whole_table {
  const uint8_t *bytes;
#if defined __ARM_NEON
  uint8x16x4_t quarter[4];
#endif
} whole_table;
INLINE whole_table load_table(const uint8_t *table) {
  whole_table t = {.bytes = table};
#if defined __ARM_NEON
  for (int i = 0; i < 4; i++)
    t.quarter[i] = vld1q_u8_x4(table + 64 * i);
#endif
  return t;
}
INLINE void look_up_run(const whole_table *t, const uint8_t *in, size_t n, uint8_t *out) {
  size_t i = 0;
#if defined __ARM_NEON
  for (; i + 16 <= n; i += 16) { /* of an index past a quarter's end vqtbx4q changes nothing */
    const uint8x16_t x = vld1q_u8(in + i);
    uint8x16_t y = vqtbl4q_u8(t->quarter[0], x);
    y = vqtbx4q_u8(y, t->quarter[1], vsubq_u8(x, vdupq_n_u8(64)));
    y = vqtbx4q_u8(y, t->quarter[2], vsubq_u8(x, vdupq_n_u8(128)));
    vst1q_u8(out + i, vqtbx4q_u8(y, t->quarter[3], vsubq_u8(x, vdupq_n_u8(192))));
  }
#endif
  for (; i < n; i++)
    out[i] = t->bytes[in[i]];
}
#endif

#endif
