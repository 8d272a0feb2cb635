/* kernels_activation.h - activations of kernels.c other than clamping: in place, over rows of n
 * floats. Flow: sums -> [kernels_activation] -> planes. Thread: any; touches only its arguments. */
#ifndef KERNELS_ACTIVATION_H
#define KERNELS_ACTIVATION_H
#include "epilogue.h"
#include "kernels_vector.h"
#include <stddef.h>

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

#endif
