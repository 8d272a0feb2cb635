/* test_colormap.c - the tables against matplotlib's definitions (jet, gray), against colours that
 * its documentation and turbo's and viridis' authors publish, and against what the maps promise:
 * rising luminance, no jumps. */
#include "render/colormap.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>

/* matplotlib/_cm.py, _jet_data: value at position, linear between. */
typedef struct knot {
  double at, value;
} knot;
static const knot jet[3][6] = {
    {{0, 0}, {0.35, 0}, {0.66, 1}, {0.89, 1}, {1, 0.5}, {2, 0}},
    {{0, 0}, {0.125, 0}, {0.375, 1}, {0.64, 1}, {0.91, 0}, {1, 0}},
    {{0, 0.5}, {0.11, 1}, {0.34, 1}, {0.65, 0}, {1, 0}, {2, 0}},
};

static double jet_value(int channel, double at) {
  const knot *k = jet[channel];
  while (k[1].at < at)
    k++;
  return k->value + (k[1].value - k->value) * (at - k->at) / (k[1].at - k->at);
}

START_TEST(jet_is_piecewise_linear) {
  const colormap_table *table = colormap_get(CAM_JET);
  for (int i = 0; i < 256; i++)
    for (int c = 0; c < 3; c++)
      ck_assert_double_eq_tol((*table)[i][c], 255 * jet_value(c, i / 255.0), 0.5 + 1e-9);
}
END_TEST

START_TEST(gray_is_the_level) {
  const colormap_table *table = colormap_get(CAM_GRAY);
  for (int i = 0; i < 256; i++)
    for (int c = 0; c < 3; c++)
      ck_assert_uint_eq((*table)[i][c], i);
}
END_TEST

START_TEST(published_colours) {
  static const struct {
    cam_colormap colormap;
    int level;
    unsigned rgb;
  } published[] = {
      {CAM_VIRIDIS, 0, 0x440154},    {CAM_VIRIDIS, 128, 0x21918c},  {CAM_VIRIDIS, 255, 0xfde725},
      {CAM_INFERNO, 0, 0x000004},    {CAM_INFERNO, 128, 0xbc3754},  {CAM_INFERNO, 255, 0xfcffa4},
      {CAM_TURBO, 0, 0x30123b},      {CAM_TURBO, 128, 0xa4fc3c},    {CAM_TURBO, 255, 0x7a0403},
      {CAM_JET, 0, 0x000080},        {CAM_JET, 255, 0x800000},      {CAM_COOLWARM, 0, 0x3b4cc0},
      {CAM_COOLWARM, 128, 0xdddcdc}, {CAM_COOLWARM, 255, 0xb40426},
  };
  for (unsigned i = 0; i < sizeof published / sizeof *published; i++) {
    const uint8_t *rgb = (*colormap_get(published[i].colormap))[published[i].level];
    ck_assert_uint_eq((unsigned)rgb[0] << 16 | (unsigned)rgb[1] << 8 | rgb[2], published[i].rgb);
  }
}
END_TEST

static double linear(uint8_t v) {
  return v <= 10 ? v / 255.0 / 12.92 : pow((v / 255.0 + 0.055) / 1.055, 2.4);
} /* IEC 61966-2-1 */

START_TEST(luminance_rises) {
  const colormap_table *table = colormap_get((cam_colormap)_i);
  double luminance[256];
  for (int i = 0; i < 256; i++) {
    const uint8_t *rgb = (*table)[i];
    luminance[i] = 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
    if (i >= 3)
      ck_assert_double_gt(luminance[i],
                          luminance[i - 3]); /* 8 bits are too coarse to rise at each step */
  }
}
END_TEST

START_TEST(no_jumps) {
  const colormap_table *table = colormap_get((cam_colormap)_i);
  for (int i = 1; i < 256; i++)
    for (int c = 0; c < 3; c++)
      ck_assert_int_le(abs((*table)[i][c] - (*table)[i - 1][c]), 10);
}
END_TEST

START_TEST(each_name_has_a_table) {
  for (int i = 0; i < CAM_COLORMAP_COUNT; i++)
    for (int j = 0; j < i; j++)
      ck_assert_ptr_ne(colormap_get((cam_colormap)i), colormap_get((cam_colormap)j));
  ck_assert_ptr_null(colormap_get(CAM_COLORMAP_COUNT));
}
END_TEST

Suite *colormap_suite(void);
Suite *colormap_suite(void) {
  Suite *suite = suite_create("colormap");
  TCase *tcase = tcase_create("colormap");
  tcase_add_test(tcase, jet_is_piecewise_linear);
  tcase_add_test(tcase, gray_is_the_level);
  tcase_add_test(tcase, published_colours);
  tcase_add_loop_test(tcase, luminance_rises, CAM_VIRIDIS, CAM_GRAY + 1);
  tcase_add_loop_test(tcase, no_jumps, 0, CAM_COLORMAP_COUNT);
  tcase_add_test(tcase, each_name_has_a_table);
  suite_add_tcase(suite, tcase);
  return suite;
}
