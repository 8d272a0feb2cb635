/* class_map.c - planes of floats at the network's grid -> any size -> 0..1 or 0..255.
 * Flow: forward -> [class map] -> box, overlay.   Thread: worker; touches only its arguments.
 * A bilinear plane is separable: each row of the input is widened once and kept while output rows
 * lie between it and the next; what remains per pixel is one multiply-add that the compiler
 * vectorises. The Makefile turns fused ones off in this file: the same values on every machine. */
#include "class_map.h"
#include "base/clones.h"
#include "cam_minmax.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
  TILE = 1024, /* columns at a time: 20 KB of stack */
  LANES = 32,  /* more than the compiler would take apart */
  LINE = 64    /* bytes of a cache line, which the widest loads and stores are as long as */
};

/* Where an output row or column comes from: (1 - share) of `lower` and share of `upper`. */
typedef struct point {
  int lower, upper;
  float share;
} point;

/* TensorFlow 1.x, core/kernels/resize_bilinear_op.cc, compute_interpolation_weights, in float32 as
 * there. */
static inline point point_at(map_rule rule, int to, int n, float scale) {
  float from;
  if (rule == MAP_TF1)
    from = (float)to * scale;
  else
    from = max_float(0, ((float)to + 0.5f) * scale - 0.5f);
  int lower = min_int((int)from, n - 1), upper = min_int(lower + 1, n - 1);
  return (point){lower, upper, from - (float)lower};
}

CLONES static void widen(const float *row, const point *columns, int n, float factor,
                         float *restrict out) {
  for (int i = 0; i < n; i++) {
    float left = row[columns[i].lower] * factor, right = row[columns[i].upper] * factor;
    out[i] = left + (right - left) * columns[i].share;
  }
}

CLONES static void mix(const float *restrict top, const float *restrict bottom, float share, int n,
                       float *restrict out) {
  for (int i = 0; i < n; i++)
    out[i] = top[i] + (bottom[i] - top[i]) * share;
}

/* Differences of values beyond a quarter of float's range could overflow: such a plane is
 * interpolated at a quarter of its size. */
static bool is_huge(const float *in, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fabsf(in[i]) > FLT_MAX / 4)
      return true;
  return false;
}

CLONES static void unshrink(float *row, int n) {
  for (int i = 0; i < n; i++)
    row[i] = 4 * fmaxf(-FLT_MAX / 4, fminf(FLT_MAX / 4, row[i]));
}

/* A plane being enlarged, some columns of the output at a time. */
typedef struct enlargement {
  map_rule rule;
  const float *in;
  int h, w, H, n;   /* rows and columns in, rows out, columns at a time */
  float factor;     /* what the values are multiplied by before they are interpolated: 1, or 1/4 */
  point *columns;   /* [n] */
  float *strips[2]; /* [n] input row r, widened, is in strips[r & 1]: the two rows of a point are
                       neighbours or the same */
  int held[2];
} enlargement;

/* From column `first` on, n columns of W. */
static void begin_columns(enlargement *e, int first, int n, int W) {
  e->n = n;
  e->held[0] = -1;
  e->held[1] = -1;
  for (int i = 0; i < n; i++)
    e->columns[i] = point_at(e->rule, first + i, e->w, (float)e->w / (float)W);
}

static point row_point(const enlargement *e, int y) {
  return point_at(e->rule, y, e->h, (float)e->h / (float)e->H);
}

static void enlarge_row(enlargement *e, int y, float *out) {
  const point rows = row_point(e, y);
  const int needed[2] = {rows.lower, rows.upper};
  for (int k = 0; k < 2; k++) {
    const int r = needed[k];
    if (e->held[r & 1] == r)
      continue;
    widen(e->in + (size_t)r * (size_t)e->w, e->columns, e->n, e->factor, e->strips[r & 1]);
    e->held[r & 1] = r;
  }
  mix(e->strips[rows.lower & 1], e->strips[rows.upper & 1], rows.share, e->n, out);
  if (e->factor < 1)
    unshrink(out, e->n);
}

static void begin(enlargement *e, map_rule rule, const float *in, int h, int w, int H) {
  e->rule = rule;
  e->in = in;
  e->h = h;
  e->w = w;
  e->H = H;
  e->factor = 1;
  if (is_huge(in, (size_t)h * (size_t)w))
    e->factor = 0.25f;
}

void map_resize(map_rule rule, const float *in, int h, int w, float *out, int H, int W) {
  point columns[TILE];
  float strips[2][TILE];
  enlargement e = {.columns = columns, .strips = {strips[0], strips[1]}};
  begin(&e, rule, in, h, w, H);
  for (int x = 0; x < W; x += TILE) {
    begin_columns(&e, x, min_int(TILE, W - x), W);
    for (int y = 0; y < H; y++)
      enlarge_row(&e, y, out + (size_t)y * (size_t)W + x);
  }
}

/* Scaled value = (value * factor - low) / spread, and not below `least`. factor is 1, or 1/4 where
 * the spread is beyond float's range; spread 0 or less: flat. */
typedef struct scaling {
  float factor, low, spread, least;
} scaling;

/* The range low..high grows to hold n more values. Lanes are independent, so that the loop becomes
 * wide without reordering anything that matters. */
CLONES static void widen_range(const float *in, int n, float *low, float *high) {
  float lows[LANES], highs[LANES];
  int i = 0;
  for (int j = 0; j < LANES; j++) {
    lows[j] = *low;
    highs[j] = *high;
  }
  for (; i + LANES <= n; i += LANES)
    for (int j = 0; j < LANES; j++) {
      lows[j] = min_float(in[i + j], lows[j]);
      highs[j] = max_float(in[i + j], highs[j]);
    }
  for (; i < n; i++) {
    lows[0] = min_float(in[i], lows[0]);
    highs[0] = max_float(in[i], highs[0]);
  }
  for (int j = 0; j < LANES; j++) {
    *low = min_float(lows[j], *low);
    *high = max_float(highs[j], *high);
  }
}

/* Of values from low to high. */
static scaling scaling_of(map_scaling how, float low, float high) {
  float factor = 1;
  if (how == MAP_SIDES)
    return (scaling){1, 0, max_float(high, -low), -1};
  if (how == MAP_RELU)
    low = 0;
  if (!isfinite(high - low))
    factor = 0.25f;
  return (scaling){factor, low * factor, high * factor - low * factor, 0};
}

/* A division: the largest becomes exactly 1. */
static inline float scaled(scaling s, float value) {
  return max_float((value * s.factor - s.low) / s.spread, s.least);
}

int map_scale(map_scaling how, const float *in, int n, float *out) {
  float low = in[0], high = in[0];
  widen_range(in, n, &low, &high);
  const scaling s = scaling_of(how, low, high);
  if (!(s.spread > 0)) {
    memset(out, 0, (size_t)n * sizeof *out);
    return 0;
  }
  for (int i = 0; i < n; i++)
    out[i] = scaled(s, in[i]);
  return 1;
}

/* ---- levels, row by row ---- */

struct map_levels {
  enlargement plane;
  scaling scaling;
  void (*to_levels)(const float *, int, scaling, uint8_t *);
  int level_of_0;
  float *row; /* [W] */
};

/* Do the output rows y - 1, y and y + 1 lie between the same two rows of the input? */
static bool is_between(const enlargement *e, int y) {
  const int lower = row_point(e, y).lower;
  return y > 0 && y + 1 < e->H && row_point(e, y - 1).lower == lower &&
         row_point(e, y + 1).lower == lower;
}

/* The scaling of the enlarged plane [H,W], without the plane.
 *
 * The range of all output values must be known before the first level is. To enlarge the plane
 * twice would double its work; but few rows are needed to know the range. The output rows that lie
 * between the same two rows of the input, top and bottom, have in each column the values top +
 * (bottom - top) * share, where share grows from row to row. That rises or falls all the way, in
 * floats too, for rounding keeps order. So the smallest and the largest of a column are in the
 * first or the last of those rows, and the rows within (is_between) need not be looked at: about
 * two output rows for each row of the input are left. The order of the values is another one than
 * row by row, but smallest and largest do not depend on it. row: scratch, [W]. */
static scaling scaling_of_enlarged(enlargement *e, map_scaling how, float *row) {
  float low = INFINITY, high = -INFINITY;
  for (int y = 0; y < e->H; y++) {
    if (is_between(e, y))
      continue;
    enlarge_row(e, y, row);
    widen_range(row, e->n, &low, &high);
  }
  return scaling_of(how, low, high);
}

CLONES static void scale_row(const float *restrict row, int n, scaling s, uint8_t *restrict out) {
  for (int i = 0; i < n; i++)
    out[i] = (uint8_t)(int)(scaled(s, row[i]) * 255.0f);
}

CLONES static void scale_row_to_sides(const float *restrict row, int n, scaling s,
                                      uint8_t *restrict out) {
  for (int i = 0; i < n; i++)
    out[i] = (uint8_t)(int)((double)scaled(s, row[i]) * 127 + 128.5);
}

map_levels *map_levels_new(map_rule rule, map_scaling how, const float *in, int h, int w, int H,
                           int W) {
  const size_t n = ((size_t)W * sizeof(float) + LINE - 1) / LINE * (LINE / sizeof(float));
  const size_t head = (sizeof(map_levels) + LINE - 1) / LINE * LINE;
  char *room = aligned_alloc(LINE, head + n * (3 * sizeof(float) + sizeof(point)));
  if (!room)
    return NULL;
  map_levels *levels = (map_levels *)room;
  float *floats = (float *)(room + head);
  *levels = (map_levels){
      .plane = {.strips = {floats, floats + n}}, .row = floats + 2 * n, .to_levels = scale_row};
  levels->plane.columns = (point *)(floats + 3 * n);
  if (how == MAP_SIDES) {
    levels->to_levels = scale_row_to_sides;
    levels->level_of_0 = 128;
  }
  begin(&levels->plane, rule, in, h, w, H);
  begin_columns(&levels->plane, 0, W, W);
  levels->scaling = scaling_of_enlarged(&levels->plane, how, levels->row);
  return levels;
}

int map_levels_spread(const map_levels *levels) { return levels->scaling.spread > 0; }

void map_levels_row(map_levels *levels, int y, uint8_t *out) {
  enlargement *plane = &levels->plane;
  if (!map_levels_spread(levels)) {
    memset(out, levels->level_of_0, (size_t)plane->n);
    return;
  }
  enlarge_row(plane, y, levels->row);
  levels->to_levels(levels->row, plane->n, levels->scaling, out);
}

void map_levels_free(map_levels *levels) { free(levels); }
