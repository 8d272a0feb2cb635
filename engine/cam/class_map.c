/* class_map.c - planes of floats at the network's grid -> any size -> 0..1 or 0..255.
 * Flow: forward -> [class map] -> box, overlay.   Thread: worker; touches only its arguments.
 * A bilinear plane is separable: the output goes by tiles of columns, and within a tile each row of the input is widened once and kept
 * while output rows lie between it and the next; what remains per pixel is one multiply-add that the compiler vectorises. */
#include "class_map.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { TILE = 1024, /* columns at a time: 20 KB of stack */ LANES = 16 };

/* Where an output row or column comes from: (1 - share) of `lower` and share of `upper`. */
typedef struct point { int lower, upper; float share; } point;

/* TensorFlow 1.x, core/kernels/resize_bilinear_op.cc, compute_interpolation_weights, in float32 as there. */
static inline point point_at(map_rule rule, int to, int n, float scale) {
  float from = rule == MAP_TF1 ? (float)to * scale : ((float)to + 0.5f) * scale - 0.5f;
  if (from < 0) from = 0;
  int lower = (int)from < n - 1 ? (int)from : n - 1;
  return (point){lower, lower < n - 1 ? lower + 1 : lower, from - (float)lower};
}

static void widen(const float *row, const point *columns, int n, float factor, float *restrict out) {
  for (int i = 0; i < n; i++) {
    float left = row[columns[i].lower] * factor, right = row[columns[i].upper] * factor;
    out[i] = left + (right - left) * columns[i].share;
  }
}

static void mix(const float *restrict top, const float *restrict bottom, float share, int n, float *restrict out) {
  for (int i = 0; i < n; i++) out[i] = top[i] + (bottom[i] - top[i]) * share;
}

/* Differences of values beyond a quarter of float's range could overflow: such a plane is interpolated at a quarter of its size. */
static bool is_huge(const float *in, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fabsf(in[i]) > FLT_MAX / 4) return true;
  return false;
}

static void unshrink(float *row, int n) {
  for (int i = 0; i < n; i++) row[i] = 4 * fmaxf(-FLT_MAX / 4, fminf(FLT_MAX / 4, row[i]));
}

void map_resize(map_rule rule, const float *in, int h, int w, float *out, int H, int W) {
  const float x_scale = (float)w / (float)W, y_scale = (float)h / (float)H;
  const bool huge = is_huge(in, (size_t)h * (size_t)w);
  point columns[TILE];
  float strips[2][TILE]; /* input row r, widened, is in strips[r & 1]: the two rows of a point are neighbours or the same */
  for (int x = 0; x < W; x += TILE) {
    const int n = W - x < TILE ? W - x : TILE;
    int held[2] = {-1, -1};
    for (int i = 0; i < n; i++) columns[i] = point_at(rule, x + i, w, x_scale);
    for (int y = 0; y < H; y++) {
      const point rows = point_at(rule, y, h, y_scale);
      const int needed[2] = {rows.lower, rows.upper};
      for (int k = 0; k < 2; k++) {
        const int r = needed[k];
        if (held[r & 1] == r) continue;
        widen(in + (size_t)r * (size_t)w, columns, n, huge ? 0.25f : 1.0f, strips[r & 1]);
        held[r & 1] = r;
      }
      float *row = out + (size_t)y * (size_t)W + x;
      mix(strips[rows.lower & 1], strips[rows.upper & 1], rows.share, n, row);
      if (huge) unshrink(row, n);
    }
  }
}

/* Scaled value = (value * factor - low) / spread. factor is 1, or 1/4 where the spread is beyond float's range; spread 0: flat. */
typedef struct scaling { float factor, low, spread; } scaling;

static scaling scaling_of(const float *in, int n) {
  float lows[LANES], highs[LANES]; /* independent lanes, so that the loop vectorises without reordering anything that matters */
  for (int j = 0; j < LANES; j++) lows[j] = highs[j] = in[0];
  int i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int j = 0; j < LANES; j++) {
      lows[j] = in[i + j] < lows[j] ? in[i + j] : lows[j];
      highs[j] = in[i + j] > highs[j] ? in[i + j] : highs[j];
    }
  for (; i < n; i++) {
    lows[0] = in[i] < lows[0] ? in[i] : lows[0];
    highs[0] = in[i] > highs[0] ? in[i] : highs[0];
  }
  for (int j = 1; j < LANES; j++) {
    lows[0] = lows[j] < lows[0] ? lows[j] : lows[0];
    highs[0] = highs[j] > highs[0] ? highs[j] : highs[0];
  }
  const float factor = isfinite(highs[0] - lows[0]) ? 1.0f : 0.25f;
  return (scaling){factor, lows[0] * factor, highs[0] * factor - lows[0] * factor};
}

int map_scale(const float *in, int n, float *out) {
  const scaling s = scaling_of(in, n);
  if (s.spread > 0)
    for (int i = 0; i < n; i++) out[i] = (in[i] * s.factor - s.low) / s.spread; /* a division: the largest becomes exactly 1 */
  else
    for (int i = 0; i < n; i++) out[i] = 0;
  return s.spread > 0;
}

int map_scale_u8(const float *in, int n, uint8_t *out) {
  const scaling s = scaling_of(in, n);
  if (s.spread > 0)
    for (int i = 0; i < n; i++) out[i] = (uint8_t)(int)((in[i] * s.factor - s.low) / s.spread * 255.0f);
  else
    for (int i = 0; i < n; i++) out[i] = 0;
  return s.spread > 0;
}
