/* kernels_int8_terms.h - what calls of kernels_int8.h are described by.
 *
 * One rule makes a byte of a sum, on each instruction set and in the reference, in float32, each
 * operation rounded to nearest even and none contracted with another:
 *   f = (float)sum * multiplier
 *   f = f + (float)(residual - residual_zero) * residual_multiplier     if there is a residual
 *   q = rint(clamp(f, low - zero, high - zero)) + zero
 *   q = table[q]                                                        if there is a table
 * So every table gives the same bits. Of product and depthwise, whose sums can be large, the caller
 * has checked also that |f| stays below 2^30, whatever the input. */
#ifndef KERNELS_INT8_TERMS_H
#define KERNELS_INT8_TERMS_H
#include <stdint.h>

enum {
  INT8_CELL = 16,  /* bytes: what cells are padded to */
  INT8_PANEL = 32, /* columns that `product` takes at a time, at most */
  INT8_BEHIND = 63 /* bytes behind its left operand that must be readable, whatever they are */
};

/* What a byte of an output may be. */
typedef struct int8_range {
  int zero;             /* the zero point, 0..255 */
  int low, high;        /* 0..255, low <= high: none is 0..255, ReLU zero..255 */
  const uint8_t *table; /* [256]: an activation, or another scale; or NULL */
} int8_range;

/* How the sums of a call become bytes. The arrays are read up to the last vector: they go on to a
 * multiple of INT8_CELL channels with finite numbers. */
typedef struct requantization {
  const float *multiplier; /* [channels] scale of the input * of the weights / of the output */
  const int32_t *bias;     /* [channels] added to the sums; has - zero of the input * sum of the
                              channel's weights in it */
  int8_range range;
  float residual_multiplier; /* scale of the residual / of the output */
  int residual_zero;
} requantization;

/* Of a depthwise convolution. */
typedef struct depthwise_shape {
  int height, breadth; /* of the filter */
  int down, stride;    /* between outputs: rows, cells */
  int left;            /* cells of padding before a row, less than `breadth` */
} depthwise_shape;

#endif
