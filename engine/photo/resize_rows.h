/* resize_rows.h - the two passes of resize.c over rows, and what they are told: the loops that take
 * its time. Implemented in engine/photo/resize_rows.c, which is compiled once per instruction set;
 * all give the same bytes. Thread: any; touches only its arguments. */
#ifndef RESIZE_ROWS_H
#define RESIZE_ROWS_H
#include "base/image.h"
#include "cam_error.h"
#include <stddef.h>
#include <stdint.h>

enum {
  RESIZE_PRECISION = 22, /* bits of a weight's fraction */
  RESIZE_SPLIT = 15,     /* bits of a weight's low half, so that it is a positive 16-bit number */
  RESIZE_BAND = 4,       /* rows of the horizontal pass that share each weight */
  RESIZE_BLOCK = 64      /* bytes: rows of the vertical pass have whole blocks */
};

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

/* Two neighbouring pixels of the rows of a band, as 16-bit numbers R0 R1 G0 G1 B0 B1 x x (x:
 * anything; past the end: 0). */
typedef int16_t resize_spread[RESIZE_BAND][8];

typedef struct resize_rows {
  /* A row of pixels [width,3] becomes row r of a band, [(width + 1) / 2]. */
  void (*spread)(const uint8_t *row, int width, int r, resize_spread *out);
  /* A band -> `outputs` pixels a row; rows of `out` are `stride` apart and
   * have room for one byte more than their pixels. */
  void (*across)(const resize_spread *spread, const taps *t, int outputs, uint8_t *out,
                 size_t stride);
  /* 2 * n rows, whole blocks of bytes each -> one. */
  void (*down)(const uint8_t *const *rows, const pair *weights, int n, size_t bytes, uint8_t *out);
} resize_rows;

extern const resize_rows resize_rows_portable, resize_rows_x86_64_v3, resize_rows_x86_64_v4;

/* The tables that this processor has, the widest first; the last is followed by NULL. */
const resize_rows *const *resize_rows_here(void);
/* resize_bicubic by one of them. */
cam_code resize_by(const resize_rows *passes, const cam_image *in, int width, int height,
                   cam_image *out, cam_error *error);

#endif
