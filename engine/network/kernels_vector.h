/* kernels_vector.h - vectors of kernels.c: W floats, and what differs from one instruction set to
 * the next. kernels.c, which alone has it, is compiled once for each. */
#ifndef KERNELS_VECTOR_H
#define KERNELS_VECTOR_H
#include <stdint.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __ARM_NEON
#include <arm_neon.h>
#endif

#if defined __AVX512F__
enum { W = 16 };
#elif defined __AVX__
enum { W = 8 };
#else
enum { W = 4 };
#endif

typedef float vec __attribute__((vector_size(4 * W)));
typedef int32_t ivec __attribute__((vector_size(4 * W)));
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

#endif
