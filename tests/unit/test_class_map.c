/* test_class_map.c - enlarging against a plain loop per pixel and against values worked out by
 * hand; scaling at its edges. */
#include "cam/class_map.h"
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* The definition in double, one output value at a time. */
static double plain(map_rule rule, const float *in, int h, int w, int H, int W, int y, int x) {
  double at[2];
  int from[2], to[2];
  const int n[2] = {h, w}, N[2] = {H, W}, i[2] = {y, x};
  for (int k = 0; k < 2; k++) {
    double scale = (double)n[k] / N[k];
    at[k] = rule == MAP_TF1 ? i[k] * scale : fmax((i[k] + 0.5) * scale - 0.5, 0);
    from[k] = (int)floor(at[k] + 1e-9);
    to[k] = from[k] + 1 < n[k] ? from[k] + 1 : n[k] - 1;
    at[k] -= from[k];
  }
  const float *top = in + (size_t)from[0] * (size_t)w, *bottom = in + (size_t)to[0] * (size_t)w;
  double a = top[from[1]] + ((double)top[to[1]] - top[from[1]]) * at[1],
         b = bottom[from[1]] + ((double)bottom[to[1]] - bottom[from[1]]) * at[1];
  return a + (b - a) * at[0];
}

static void fill(float *values, int n, unsigned seed) {
  for (int i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(seed >> 8) * 0x1p-23f - 1;
  }
}

START_TEST(agrees_with_the_definition) {
  static const int shapes[][4] = {{14, 14, 224, 224}, {7, 10, 300, 451},  {1, 1, 1, 1},
                                  {1, 1, 3, 5},       {5, 3, 2, 2},       {7, 7, 7, 7},
                                  {2, 3, 1, 2500},    {3, 2, 3000, 1},    {9, 7, 5, 1025},
                                  {20, 7, 640, 224},  {300, 400, 21, 17}, {1, 5, 64, 4}};
  for (unsigned s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const int h = shapes[s][0], w = shapes[s][1], H = shapes[s][2], W = shapes[s][3];
    float *in = malloc(sizeof *in * (size_t)(h * w)), *out = malloc(sizeof *out * (size_t)(H * W));
    fill(in, h * w, s);
    map_resize((map_rule)_i, in, h, w, out, H, W);
    double worst = 0;
    for (int y = 0; y < H; y++)
      for (int x = 0; x < W; x++)
        worst = fmax(worst, fabs(out[y * W + x] - plain((map_rule)_i, in, h, w, H, W, y, x)));
    ck_assert_double_le(worst, 1e-4); /* positions are float32 */
    free(in);
    free(out);
  }
}
END_TEST

/* TensorFlow 1's kernel for one value, in its own float32 steps: what the fast loops must give to
 * the last bits. */
static float tensorflow(const float *in, int h, int w, int H, int W, int y, int x) {
  float y_in = (float)y * ((float)h / (float)H), x_in = (float)x * ((float)w / (float)W);
  int y0 = (int)y_in, y1 = y0 + 1 < h ? y0 + 1 : h - 1, x0 = (int)x_in,
      x1 = x0 + 1 < w ? x0 + 1 : w - 1;
  float xl = x_in - (float)x0, yl = y_in - (float)y0;
  float top = in[y0 * w + x0] + (in[y0 * w + x1] - in[y0 * w + x0]) * xl,
        bottom = in[y1 * w + x0] + (in[y1 * w + x1] - in[y1 * w + x0]) * xl;
  return top + (bottom - top) * yl;
}

static uint8_t level_of(map_scaling how, float scaled) {
  if (how == MAP_SIDES)
    return (uint8_t)(128.5 + 127.0 * (double)scaled);
  return (uint8_t)(scaled * 255.0f);
}

/* All rows; 0 if the plane is flat. */
static int map_heat(map_rule rule, map_scaling how, const float *in, int h, int w, uint8_t *out,
                    int H, int W) {
  map_levels *levels = map_levels_new(rule, how, in, h, w, H, W);
  ck_assert_ptr_nonnull(levels);
  const int spread = map_levels_spread(levels);
  for (int y = 0; y < H; y++)
    map_levels_row(levels, y, out + (size_t)y * (size_t)W);
  map_levels_free(levels);
  return spread;
}

START_TEST(heat_is_the_enlarged_plane_scaled) {
  static const int shapes[][4] = {{14, 14, 224, 224}, {7, 10, 300, 451}, {1, 1, 3, 5},
                                  {5, 3, 2, 2},       {2, 3, 1, 2500},   {3, 2, 3000, 1},
                                  {9, 7, 5, 1025},    {300, 400, 21, 17}};
  for (unsigned s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int kind = 0; kind < 6; kind++) {
      const bool huge = kind & 1;
      const map_scaling how = (map_scaling)(kind >> 1);
      const int h = shapes[s][0], w = shapes[s][1], H = shapes[s][2], W = shapes[s][3], n = H * W;
      float *in = malloc(sizeof *in * (size_t)(h * w)), *plane = malloc(sizeof *plane * (size_t)n);
      uint8_t *heat = malloc((size_t)n);
      fill(in, h * w, s);
      for (int i = 0; i < h * w && huge; i++)
        in[i] *= FLT_MAX;
      map_resize((map_rule)_i, in, h, w, plane, H, W);
      const int spread = map_scale(how, plane, n, plane);
      ck_assert_int_eq(map_heat((map_rule)_i, how, in, h, w, heat, H, W), spread);
      int wrong = 0;
      for (int i = 0; i < n; i++)
        wrong += heat[i] != level_of(how, plane[i]);
      ck_assert_int_eq(wrong, 0);
      free(in);
      free(plane);
      free(heat);
    }
}
END_TEST

START_TEST(tf1_is_tensorflows_kernel) {
  enum { H = 224, W = 1100 };
  static float in[14 * 14], out[H * W];
  fill(in, 14 * 14, 7);
  map_resize(MAP_TF1, in, 14, 14, out, H, W);
  float worst = 0;
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++)
      worst = fmaxf(worst, fabsf(out[y * W + x] - tensorflow(in, 14, 14, H, W, y, x)));
  ck_assert_float_le(
      worst, 2 * FLT_EPSILON); /* not 0: a compiler may fuse multiply and add in one of them */
}
END_TEST

START_TEST(rules_differ_as_documented) {
  static const float in[2] = {0, 1}, tf1[4] = {0, 0.5f, 1, 1}, half_pixel[4] = {0, 0.25f, 0.75f, 1};
  float out[4];
  map_resize(MAP_TF1, in, 1, 2, out, 1, 4);
  for (int i = 0; i < 4; i++)
    ck_assert_float_eq(out[i], tf1[i]);
  map_resize(MAP_TF1, in, 2, 1, out, 4, 1);
  for (int i = 0; i < 4; i++)
    ck_assert_float_eq(out[i], tf1[i]);
  map_resize(MAP_HALF_PIXEL, in, 1, 2, out, 1, 4);
  for (int i = 0; i < 4; i++)
    ck_assert_float_eq(out[i], half_pixel[i]);
}
END_TEST

START_TEST(huge_planes_stay_finite) {
  static const float in[4] = {FLT_MAX, -FLT_MAX, -FLT_MAX, FLT_MAX};
  float out[35], scaled[35];
  map_resize((map_rule)_i, in, 2, 2, out, 5, 7);
  for (int i = 0; i < 35; i++)
    ck_assert(isfinite(out[i]));
  ck_assert_float_eq(out[0], FLT_MAX);
  ck_assert_int_eq(map_scale(MAP_MINMAX, out, 35, scaled), 1);
  for (int i = 0; i < 35; i++)
    ck_assert(scaled[i] >= 0 && scaled[i] <= 1);
  ck_assert_float_eq(scaled[0], 1);
}
END_TEST

START_TEST(scaling_reaches_both_ends) {
  for (int n = 2; n < 70; n++) {
    float in[70], out[70];
    uint8_t levels[70];
    fill(in, n, (unsigned)n);
    for (int i = 0; i < n; i++)
      in[i] = in[i] * 3e-3f - 1; /* all negative */
    int low = 0, high = 0;
    for (int i = 1; i < n; i++)
      low = in[i] < in[low] ? i : low, high = in[i] > in[high] ? i : high;
    ck_assert_int_eq(map_scale(MAP_MINMAX, in, n, out), 1);
    ck_assert_int_eq(map_heat(MAP_HALF_PIXEL, MAP_MINMAX, in, 1, n, levels, 1, n), 1);
    ck_assert_float_eq(out[low], 0);
    ck_assert_float_eq(out[high], 1);
    ck_assert_uint_eq(levels[low], 0);
    ck_assert_uint_eq(levels[high], 255);
    for (int i = 0; i < n; i++) {
      double share = ((double)in[i] - in[low]) / ((double)in[high] - in[low]);
      ck_assert_float_eq_tol(out[i], share, 1e-6);
      ck_assert(levels[i] <= share * 255 + 1e-4 && levels[i] > share * 255 - 1 - 1e-4);
    }
    ck_assert_int_eq(map_scale(MAP_MINMAX, in, n, in), 1); /* in place */
    for (int i = 0; i < n; i++)
      ck_assert_float_eq(in[i], out[i]);
  }
}
END_TEST

START_TEST(scaling_truncates) {
  static const float in[6] = {0, 1, 2, 3, 3.99f, 4};
  static const uint8_t expected[6] = {0, 63, 127, 191, 254, 255};
  uint8_t levels[6];
  map_heat(MAP_TF1, MAP_MINMAX, in, 1, 6, levels, 1, 6);
  for (int i = 0; i < 6; i++)
    ck_assert_uint_eq(levels[i], expected[i]);
}
END_TEST

/* What speaks against the class is as cold as what says nothing; the most is 1, however little. */
START_TEST(relu_starts_at_no_evidence) {
  static const float in[6] = {-1e30f, -1, 0, 1, 2, 4}, expected[6] = {0, 0, 0, 0.25f, 0.5f, 1};
  static const uint8_t levels_expected[6] = {0, 0, 0, 63, 127, 255};
  float out[6], small[6];
  uint8_t levels[6];
  ck_assert_int_eq(map_scale(MAP_RELU, in, 6, out), 1);
  ck_assert_int_eq(map_heat(MAP_TF1, MAP_RELU, in + 1, 1, 5, levels + 1, 1, 5), 1);
  for (int i = 0; i < 6; i++) {
    ck_assert_float_eq(out[i], expected[i]);
    small[i] = in[i] * 1e-20f;
    if (i)
      ck_assert_uint_eq(levels[i], levels_expected[i]);
  }
  ck_assert_int_eq(map_scale(MAP_RELU, small, 6, out), 1);
  ck_assert_float_eq(out[5], 1);
}
END_TEST

/* Both sides of 0 by one measure, rounded: what is next to nothing is 128. */
START_TEST(sides_have_0_in_the_middle) {
  static const float in[7] = {-2, -1, -1e-30f, 0, 1e-3f, 1, 4};
  static const float expected[7] = {-0.5f, -0.25f, 0, 0, 0.25e-3f, 0.25f, 1};
  static const uint8_t levels_expected[7] = {65, 96, 128, 128, 128, 160, 255};
  float out[7], turned[7];
  uint8_t levels[7];
  ck_assert_int_eq(map_scale(MAP_SIDES, in, 7, out), 1);
  ck_assert_int_eq(map_heat(MAP_TF1, MAP_SIDES, in, 1, 7, levels, 1, 7), 1);
  for (int i = 0; i < 7; i++) {
    ck_assert_float_eq_tol(out[i], expected[i], 1e-7f);
    ck_assert_uint_eq(levels[i], levels_expected[i]);
    turned[i] = -in[i];
  }
  map_heat(MAP_TF1, MAP_SIDES, turned, 1, 7, levels, 1, 7);
  ck_assert_uint_eq(levels[6], 1);
  ck_assert_uint_eq(levels[0], 192);
  static const float none[3] = {0, -0.0f, 0};
  ck_assert_int_eq(map_scale(MAP_SIDES, none, 3, out), 0);
  ck_assert_int_eq(map_heat(MAP_TF1, MAP_SIDES, none, 1, 3, levels, 1, 3), 0);
  for (int i = 0; i < 3; i++)
    ck_assert(out[i] == 0 && levels[i] == 128);
  static const float wide[2] = {-FLT_MAX, FLT_MAX};
  ck_assert_int_eq(map_heat(MAP_TF1, MAP_SIDES, wide, 1, 2, levels, 1, 2), 1);
  ck_assert(levels[0] == 1 && levels[1] == 255);
}
END_TEST

START_TEST(relu_of_no_evidence_is_flat) {
  static const float values[] = {0, -0.0f, -1e-40f, -3, -FLT_MAX};
  for (unsigned v = 0; v < sizeof values / sizeof *values; v++) {
    float in[21], out[21];
    uint8_t levels[21];
    for (int i = 0; i < 21; i++) {
      in[i] = values[v] - (float)(i % 3);
      out[i] = 9;
      levels[i] = 9;
    }
    ck_assert_int_eq(map_scale(MAP_RELU, in, 21, out), 0);
    ck_assert_int_eq(map_heat(MAP_HALF_PIXEL, MAP_RELU, in, 1, 21, levels, 1, 21), 0);
    for (int i = 0; i < 21; i++) {
      ck_assert_float_eq(out[i], 0);
      ck_assert_uint_eq(levels[i], 0);
    }
  }
  float same = 3, out; /* all values equal, but above 0: evidence everywhere */
  ck_assert_int_eq(map_scale(MAP_RELU, &same, 1, &out), 1);
  ck_assert_float_eq(out, 1);
}
END_TEST

START_TEST(flat_planes_become_zero) {
  static const float values[] = {0, -3, 1e30f, FLT_MAX, -FLT_MAX, 1e-40f};
  for (unsigned v = 0; v < sizeof values / sizeof *values; v++)
    for (int n = 1; n < 40; n += 19) {
      float in[40], out[40];
      uint8_t levels[40];
      for (int i = 0; i < n; i++)
        in[i] = values[v], out[i] = 9, levels[i] = 9;
      ck_assert_int_eq(map_scale(MAP_MINMAX, in, n, out), 0);
      ck_assert_int_eq(map_heat(MAP_HALF_PIXEL, MAP_MINMAX, in, 1, n, levels, 1, n), 0);
      for (int i = 0; i < n; i++) {
        ck_assert_float_eq(out[i], 0);
        ck_assert_uint_eq(levels[i], 0);
      }
    }
}
END_TEST

START_TEST(extreme_spreads_are_scaled) {
  static const float wide[3] = {-FLT_MAX, 0, FLT_MAX}, narrow[3] = {0, 1e-44f, 2e-44f};
  float out[3];
  uint8_t levels[3];
  ck_assert_int_eq(map_scale(MAP_MINMAX, wide, 3, out), 1);
  ck_assert_int_eq(map_heat(MAP_TF1, MAP_MINMAX, wide, 1, 3, levels, 1, 3), 1);
  ck_assert_float_eq(out[0], 0);
  ck_assert_float_eq(out[1], 0.5f);
  ck_assert_float_eq(out[2], 1);
  ck_assert_uint_eq(levels[0], 0);
  ck_assert_uint_eq(levels[1], 127);
  ck_assert_uint_eq(levels[2], 255);
  ck_assert_int_eq(map_scale(MAP_MINMAX, narrow, 3, out), 1);
  for (int i = 0; i < 3; i++)
    ck_assert(out[i] >= 0 && out[i] <= 1);
}
END_TEST

Suite *class_map_suite(void);
Suite *class_map_suite(void) {
  Suite *suite = suite_create("class_map");
  TCase *tcase = tcase_create("class_map");
  tcase_add_loop_test(tcase, agrees_with_the_definition, MAP_HALF_PIXEL, MAP_TF1 + 1);
  tcase_add_loop_test(tcase, heat_is_the_enlarged_plane_scaled, MAP_HALF_PIXEL, MAP_TF1 + 1);
  tcase_add_test(tcase, tf1_is_tensorflows_kernel);
  tcase_add_test(tcase, rules_differ_as_documented);
  tcase_add_loop_test(tcase, huge_planes_stay_finite, MAP_HALF_PIXEL, MAP_TF1 + 1);
  tcase_add_test(tcase, scaling_reaches_both_ends);
  tcase_add_test(tcase, scaling_truncates);
  tcase_add_test(tcase, relu_starts_at_no_evidence);
  tcase_add_test(tcase, sides_have_0_in_the_middle);
  tcase_add_test(tcase, relu_of_no_evidence_is_flat);
  tcase_add_test(tcase, flat_planes_become_zero);
  tcase_add_test(tcase, extreme_spreads_are_scaled);
  suite_add_tcase(suite, tcase);
  return suite;
}
