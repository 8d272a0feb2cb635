/* test_overlay.c - every colour over every photo value, at many alphas, against exact arithmetic
 * and against the formula in double. */
#include "render/overlay.h"
#include <check.h>
#include <math.h>
#include <string.h>

enum { PAIRS = 256 * 256, WHOLE = 10000 };

/* A "colormap" and a photo that bring every pair of values into each channel. */
static void every_pair(colormap_table *colours, uint8_t *heat, uint8_t (*photo)[3]) {
  for (int i = 0; i < 256; i++)
    for (int c = 0; c < 3; c++)
      (*colours)[i][c] = (uint8_t)(i + 85 * c);
  for (int i = 0; i < PAIRS; i++) {
    heat[i] = (uint8_t)(i >> 8);
    for (int c = 0; c < 3; c++)
      photo[i][c] = (uint8_t)(i + 31 * c);
  }
}

static void blend(const uint8_t *photo, const uint8_t *heat, size_t n,
                  const colormap_table *colours, float alpha, uint8_t *out) {
  const overlay o = overlay_of(colours, alpha);
  overlay_blend(&o, photo, heat, n, out);
}

START_TEST(rounds_as_exact_arithmetic_does) {
  static colormap_table colours;
  static uint8_t heat[PAIRS], photo[PAIRS][3], out[PAIRS][3];
  static const int odd[] = {1,    3,    1234, 3333,
                            6667, 8765, 9999}; /* ten-thousandths, beside every hundredth */
  every_pair(&colours, heat, photo);
  for (int step = 0; step <= 100 + (int)(sizeof odd / sizeof *odd); step++) {
    const int a = step <= 100 ? step * 100 : odd[step - 101];
    const double alpha = (double)a / WHOLE;
    blend(photo[0], heat, PAIRS, &colours, (float)alpha, out[0]);
    long wrong = 0;
    for (int i = 0; i < PAIRS; i++)
      for (int c = 0; c < 3; c++) {
        const int colour = colours[heat[i]][c], pixel = photo[i][c],
                  exact = (a * colour + (WHOLE - a) * pixel + WHOLE / 2) / WHOLE;
        wrong += out[i][c] != exact;
        const int tie = (a * colour + (WHOLE - a) * pixel) % WHOLE ==
                        WHOLE / 2; /* which double may round either way */
        if (!tie)
          wrong += out[i][c] != (int)floor(alpha * colour + (1 - alpha) * pixel + 0.5);
      }
    ck_assert_msg(!wrong, "%ld wrong at alpha %g", wrong, alpha);
  }
}
END_TEST

START_TEST(ends_are_exact) {
  static uint8_t heat[PAIRS], photo[PAIRS][3], out[PAIRS][3];
  static colormap_table unused;
  every_pair(&unused, heat, photo);
  const colormap_table *colours = colormap_get((cam_colormap)_i);
  blend(photo[0], heat, PAIRS, colours, 0, out[0]);
  ck_assert_mem_eq(out, photo, sizeof out);
  blend(photo[0], heat, PAIRS, colours, 1, out[0]);
  int wrong = 0;
  for (int i = 0; i < PAIRS; i++)
    wrong += memcmp(out[i], (*colours)[heat[i]], 3) != 0;
  ck_assert_int_eq(wrong, 0);
}
END_TEST

START_TEST(in_place_and_in_pieces) {
  static uint8_t heat[PAIRS], photo[PAIRS][3], whole[PAIRS][3], pieces[PAIRS][3];
  static colormap_table colours;
  every_pair(&colours, heat, photo);
  blend(photo[0], heat, PAIRS, &colours, 0.37f, whole[0]);
  for (size_t at = 0, n = 1; at < PAIRS; at += n, n = n % 97 + 1) {
    if (n > PAIRS - at)
      n = PAIRS - at;
    blend(photo[at], heat + at, n, &colours, 0.37f, pieces[at]);
  }
  ck_assert_mem_eq(pieces, whole, sizeof whole);
  blend(photo[0], heat, PAIRS, &colours, 0.37f, photo[0]);
  ck_assert_mem_eq(photo, whole, sizeof whole);
  blend(photo[0], heat, 0, &colours, 1, photo[0]);
  ck_assert_mem_eq(photo, whole, sizeof whole);
}
END_TEST

Suite *overlay_suite(void);
Suite *overlay_suite(void) {
  Suite *suite = suite_create("overlay");
  TCase *tcase = tcase_create("overlay");
  tcase_set_tags(tcase, "alone");
  tcase_add_test(tcase, rounds_as_exact_arithmetic_does);
  tcase_add_loop_test(tcase, ends_are_exact, 0, CAM_COLORMAP_COUNT);
  tcase_add_test(tcase, in_place_and_in_pieces);
  suite_add_tcase(suite, tcase);
  return suite;
}
