/* resize.c - antialiased bicubic scaling, to the bit what Pillow gives. Flow: decode -> [resize] ->
 * forward; photo -> overlay. Filter: Keys, "Cubic Convolution Interpolation for Digital Image
 * Processing", IEEE ASSP 1981, a = -0.5; its support grows with the scale when shrinking. Order:
 * horizontal, rounded to 8 bits, vertical. Rows that the vertical pass still needs live in a ring,
 * so memory does not grow with the photo's height. */
#include "resize.h"
#include "cam_minmax.h"
#include "resize_rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Weights (resize_rows.h) ---- */

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
  return (int)(half + weight * (1 << RESIZE_PRECISION));
}

static void put_weights(taps *t, int output, const window *w) {
  const int first = w->least & ~1;
  t->first[output] = first;
  t->count[output] = (w->end - first + 1) / 2;
  pair *pairs = t->pairs + (size_t)output * t->most;
  for (int i = w->least; i < w->end; i++) {
    const int fixed = to_fixed(w->weights[i - w->least]), at = i - first, shift = 16 * (at % 2);
    pairs[at / 2].hi |= (uint32_t)(uint16_t)(fixed >> RESIZE_SPLIT) << shift;
    pairs[at / 2].lo |= (uint32_t)(fixed & ((1 << RESIZE_SPLIT) - 1)) << shift;
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

/* ---- Both passes ---- */

const resize_rows *const *resize_rows_here(void) {
  static const resize_rows *const all[] = {
#if defined __x86_64__
    &resize_rows_x86_64_v4,
    &resize_rows_x86_64_v3,
#endif
    &resize_rows_portable,
    NULL
  };
  const resize_rows *const *first = all;
#if defined __x86_64__
  if (!__builtin_cpu_supports("x86-64-v4"))
    first++;
  if (!__builtin_cpu_supports("x86-64-v3"))
    first++;
#endif
  return first;
}

typedef struct scaler {
  const cam_image *in;
  taps across, down;    /* down.most is 0 where the height stays */
  size_t stride;        /* of a ring row: whole blocks, and one byte more than the pixels */
  int ring_rows, made;  /* rows made so far: 0 to made - 1, the last ring_rows of them kept */
  uint8_t *ring, *row;  /* [ring_rows, stride]; [stride] */
  const uint8_t **rows; /* what resample_row reads */
  resize_spread *spread;
  const resize_rows *passes;
} scaler;

static void make_band(scaler *s, int width) {
  const cam_image *in = s->in;
  uint8_t *out = s->ring + (size_t)(s->made % s->ring_rows) * s->stride;
  for (int r = 0; r < RESIZE_BAND; r++) {
    const uint8_t *row = in->rgb + (size_t)min_int(s->made + r, in->height - 1) * in->width * 3;
    if (s->across.most)
      s->passes->spread(row, in->width, r, s->spread);
    else
      memcpy(out + r * s->stride, row, (size_t)width * 3);
  }
  if (s->across.most)
    s->passes->across(s->spread, &s->across, width, out, s->stride);
  s->made += RESIZE_BAND;
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
  s->stride = ((size_t)width * 3 + 1 + RESIZE_BLOCK - 1) / RESIZE_BLOCK * RESIZE_BLOCK;
  s->ring_rows = (min_int(2 * s->down.most + RESIZE_BAND, in->height) + RESIZE_BAND - 1) /
                 RESIZE_BAND * RESIZE_BAND;
  s->ring = aligned_alloc(RESIZE_BLOCK, (size_t)s->ring_rows * s->stride);
  s->row = aligned_alloc(RESIZE_BLOCK, s->stride);
  s->rows = malloc((2 * s->down.most + 1) * sizeof *s->rows);
  s->spread = aligned_alloc(sizeof *s->spread, ((size_t)in->width + 1) / 2 * sizeof *s->spread);
  if (s->ring) /* bytes beyond a row's pixels are read, too */
    memset(s->ring, 0, (size_t)s->ring_rows * s->stride);
  return s->ring && s->row && s->rows && s->spread;
}

static void scaler_free(scaler *s) {
  taps_free(&s->across);
  taps_free(&s->down);
  free(s->ring);
  free(s->row);
  free(s->rows);
  free(s->spread);
}

cam_code resize_by(const resize_rows *passes, const cam_image *in, int width, int height,
                   cam_image *out, cam_error *error) {
  scaler s = {.passes = passes};
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
      s.passes->down(s.rows, s.down.pairs + (size_t)y * s.down.most, n, bytes, s.row);
    } else {
      row = need_row(&s, y, width);
    }
    memcpy(out->rgb + y * bytes, row, bytes);
  }
out:
  scaler_free(&s);
  return code;
}

cam_code resize_bicubic(const cam_image *in, int width, int height, cam_image *out,
                        cam_error *error) {
  return resize_by(*resize_rows_here(), in, width, height, out, error);
}
