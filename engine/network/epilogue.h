/* epilogue.h - what a kernel does to a finished sum. Flow: node -> layer -> [epilogue] -> kernels.
 */
#ifndef EPILOGUE_H
#define EPILOGUE_H

/* + residual (if any), then an activation. Clamping is part of
 * every kernel; the others are a second pass over what a kernel has just written, in the
 * first-level cache. */
typedef enum activation_kind {
  CLAMP,        /* to low..high (ReLU: 0..inf, ReLU6: 0..6, none: -inf..inf) */
  SIGMOID,      /* 1 / (1 + e^-x) */
  SILU,         /* x * sigmoid(x) */
  HARD_SIGMOID, /* slope * x + offset, clamped to 0..1 */
  HARD_SWISH,   /* x * hard_sigmoid(x) */
  GELU          /* x * (1 + erf(x / sqrt(2))) / 2 */
} activation_kind;

typedef struct epilogue {
  activation_kind kind;
  float low, high;     /* -inf and inf of all kinds but CLAMP */
  float slope, offset; /* HARD_SIGMOID, HARD_SWISH */
} epilogue;

#endif
