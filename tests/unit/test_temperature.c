/* test_temperature.c - the temperature of the least cross entropy, beside a search over all of
 * them. */
#include "cam_temperature.h"
#include <check.h>
#include <math.h>
#include <stdint.h>

enum { PHOTOS = 200, CLASSES = 7 };

static float logits[PHOTOS][CLASSES];
static int labels[PHOTOS];

static uint32_t seed;

static double made(void) { /* 0 to 1 */
  seed = seed * 1664525 + 1013904223;
  return (double)(seed >> 8) / (1 << 24);
}

/* Logits `sureness` times as large as they may be: classes are drawn by the softmax of the rest. */
static void make_photos(double sureness) {
  seed = 7;
  for (int i = 0; i < PHOTOS; i++) {
    double share[CLASSES], sum = 0;
    for (int c = 0; c < CLASSES; c++) {
      const double logit = 4 * made();
      logits[i][c] = (float)(sureness * logit);
      sum += share[c] = exp(logit);
    }
    double at = sum * made();
    labels[i] = 0;
    while (labels[i] < CLASSES - 1 && at > share[labels[i]])
      at -= share[labels[i]++];
  }
}

static cam_logits made_logits(int n, int stride) {
  return (cam_logits){n, CLASSES, stride, &logits[0][0], labels};
}

static double cross_entropy(int stride, double temperature) {
  double sum = 0;
  for (int i = 0; i < PHOTOS; i += stride)
    sum += cam_cross_entropy(logits[i], CLASSES, labels[i], temperature);
  return sum;
}

START_TEST(no_other_temperature_is_better) {
  static const double sureness[] = {0.1, 0.5, 1, 3, 15};
  make_photos(sureness[_i / 2]);
  const int stride = 1 + _i % 2;
  const cam_logits all = made_logits(PHOTOS / stride, stride);
  const double t = cam_fit_temperature(&all), least = cross_entropy(stride, t);
  for (double other = CAM_TEMPERATURE_LEAST; other < CAM_TEMPERATURE_MOST; other *= 1.03)
    ck_assert_double_ge(cross_entropy(stride, other), least - 1e-9);
  ck_assert_double_eq_tol(t / sureness[_i / 2], 1, 0.2);
}
END_TEST

START_TEST(where_nothing_is_wrong_none_can_be_told) {
  cam_logits all = made_logits(0, 1);
  ck_assert_double_eq(cam_fit_temperature(&all), 0);
  make_photos(1);
  for (int i = 0; i < PHOTOS; i++)
    logits[i][labels[i]] = 5;
  all = made_logits(PHOTOS, 1);
  ck_assert_double_eq(cam_fit_temperature(&all), 0);
  logits[3][labels[3]] = -5;
  ck_assert_double_gt(cam_fit_temperature(&all), 0);
}
END_TEST

/* Logits that say the opposite of what is: the least sure is the best. */
START_TEST(it_stays_within_its_bounds) {
  make_photos(1);
  for (int i = 0; i < PHOTOS; i++)
    logits[i][labels[i]] = -50;
  const cam_logits all = made_logits(PHOTOS, 1);
  ck_assert_double_eq_tol(cam_fit_temperature(&all), CAM_TEMPERATURE_MOST, 1e-6);
  for (int i = 1; i < PHOTOS; i++)
    logits[i][labels[i]] = 50;
  for (int c = 0; c < CLASSES; c++)
    logits[0][c] = c == labels[0] ? 0.0F : 0.1F;
  ck_assert_double_ge(cam_fit_temperature(&all), CAM_TEMPERATURE_LEAST * (1 - 1e-6));
}
END_TEST

START_TEST(probabilities_add_up) {
  make_photos(30);
  double sum = 0;
  for (int c = 0; c < CLASSES; c++)
    sum += cam_tempered(logits[0], CLASSES, c, 2.5);
  ck_assert_double_eq_tol(sum, 1, 1e-12);
  static const float far[] = {-1000, 0, 3000};
  ck_assert_double_eq(cam_tempered(far, 3, 2, 1), 1);
  ck_assert_double_eq(cam_cross_entropy(far, 3, 0, 2), 2000);
}
END_TEST

Suite *temperature_suite(void);
Suite *temperature_suite(void) {
  Suite *suite = suite_create("temperature");
  TCase *tcase = tcase_create("fit");
  tcase_add_loop_test(tcase, no_other_temperature_is_better, 0, 10);
  tcase_add_test(tcase, where_nothing_is_wrong_none_can_be_told);
  tcase_add_test(tcase, it_stays_within_its_bounds);
  tcase_add_test(tcase, probabilities_add_up);
  suite_add_tcase(suite, tcase);
  return suite;
}
