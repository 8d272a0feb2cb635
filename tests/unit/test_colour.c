/* test_colour.c - colours become sRGB within any budget, or it is said why not; what is no profile
 * changes nothing. What profiles of every kind do is tested through HTTP, where they are made. */
#include "photo/colour.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 5000 }; /* pixels: several blocks, and a part of one */

/* A profile of grey by hand (ICC.1:2001-04): its header, one tag, a curve of light = sample. */
static size_t grey_profile(uint8_t *p) {
  enum { SIZE = 128 + 4 + 2 * 12 + 12 + 20 };
  memset(p, 0, SIZE);
  p[3] = SIZE;
  memcpy(p + 8, "\2\x10\0\0mntrGRAYXYZ ", 16);
  memcpy(p + 36, "acsp", 4);
  memcpy(p + 68, "\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d", 12);
  p[131] = 2;
  memcpy(p + 132, "kTRC\0\0\0\x9c\0\0\0\x0c", 12);
  memcpy(p + 144, "wtpt\0\0\0\xa8\0\0\0\x14", 12);
  memcpy(p + 156, "curv\0\0\0\0\0\0\0\0", 12);
  memcpy(p + 168, "XYZ \0\0\0\0\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d", 20);
  return SIZE;
}

static uint8_t *made(int channels) {
  uint8_t *pixels = malloc((size_t)(COUNT * channels));
  for (int i = 0; i < COUNT; i++)
    for (int c = 0; c < channels; c++)
      pixels[channels * i + c] = (uint8_t)i;
  return pixels;
}

/* What sRGB calls light of these 256 levels, at some of them. */
static void is_linear(const uint8_t *pixels, int channels) {
  static const struct {
    int level, srgb;
  } known[] = {{0, 0}, {1, 13}, {10, 56}, {55, 128}, {128, 188}, {200, 229}, {255, 255}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    for (int c = 0; c < 3; c++) {
      const int got = pixels[channels * known[i].level + c];
      ck_assert_msg(abs(got - known[i].srgb) <= 1, "level %d: %d", known[i].level, got);
    }
}

START_TEST(grey_and_gamma) {
  uint8_t profile[256];
  const colour_space spaces[] = {{.icc = profile, .n = grey_profile(profile)}, {.gamma = 1.0}};
  for (int s = 0; s < 2; s++)
    for (int channels = 3; channels <= 4; channels++) {
      uint8_t *pixels = made(channels);
      cam_error error;
      ck_assert_int_eq(
          colour_to_srgb(&spaces[s], COLOUR_GREY, pixels, COUNT, channels, SIZE_MAX, &error),
          CAM_OK);
      is_linear(pixels, channels);
      for (int i = 0; channels == 4 && i < COUNT; i++)
        ck_assert_int_eq(pixels[4 * i + 3], (uint8_t)i); /* alpha stays */
      free(pixels);
    }
}
END_TEST

/* Enough, or a word and the pixels as they were. No block that is asked for is as small as a step,
 * so each is refused once. */
START_TEST(any_budget_is_kept) {
  uint8_t profile[256];
  const colour_space spaces[] = {{.icc = profile, .n = grey_profile(profile)}, {.gamma = 1.0}};
  for (int s = 0; s < 2; s++)
    for (size_t budget = 0, step = 32; budget < colour_work_bytes(0); budget += step) {
      uint8_t *pixels = made(3), *before = made(3);
      cam_error error = {0};
      cam_code code = colour_to_srgb(&spaces[s], COLOUR_GREY, pixels, COUNT, 3, budget, &error);
      if (code == CAM_OK) {
        is_linear(pixels, 3);
        step = 1 << 20;
      } else {
        ck_assert_int_eq(code, CAM_E_BUDGET);
        ck_assert_ptr_nonnull(strstr(error.detail, "converting its colours needs"));
        ck_assert_mem_eq(pixels, before, 3 * COUNT);
      }
      free(pixels);
      free(before);
    }
}
END_TEST

START_TEST(what_is_no_profile_changes_nothing) {
  uint8_t profile[256];
  const size_t n = grey_profile(profile);
  uint8_t *before = made(3);
  for (size_t cut = 0; cut < n - 20; cut++) { /* its white, the last, is not needed */
    uint8_t *exact = malloc(cut ? cut : 1), *pixels = made(3);
    memcpy(exact, profile, cut);
    const colour_space space = {.icc = exact, .n = cut};
    cam_error error;
    ck_assert_int_eq(colour_to_srgb(&space, COLOUR_GREY, pixels, COUNT, 3, SIZE_MAX, &error),
                     CAM_OK);
    ck_assert_mem_eq(pixels, before, 3 * COUNT);
    free(exact);
    free(pixels);
  }
  const colour_space grey = {.icc = profile, .n = n};
  cam_error error;
  uint8_t *pixels = made(3);
  ck_assert_int_eq(colour_to_srgb(&grey, COLOUR_RGB, pixels, COUNT, 3, SIZE_MAX, &error), CAM_OK);
  ck_assert_mem_eq(pixels, before, 3 * COUNT); /* it is not for these pixels */
  free(pixels);
  free(before);
}
END_TEST

START_TEST(ink_is_multiplied) {
  uint8_t ink[] = {255, 255, 255, 255, 255, 255, 255, 0, 0, 128, 255, 255, 100, 200, 50, 128};
  static const uint8_t light[] = {255, 255, 255, 0, 0, 0, 0, 128, 255, 50, 100, 25};
  cam_error error;
  ck_assert_int_eq(colour_to_srgb(&(colour_space){0}, COLOUR_CMYK, ink, 4, 4, 0, &error), CAM_OK);
  ck_assert_mem_eq(ink, light, sizeof light);
}
END_TEST

Suite *colour_suite(void);
Suite *colour_suite(void) {
  Suite *suite = suite_create("colour");
  TCase *tcase = tcase_create("colour");
  tcase_set_tags(tcase, "alone");
  tcase_add_test(tcase, grey_and_gamma);
  tcase_add_test(tcase, any_budget_is_kept);
  tcase_add_test(tcase, what_is_no_profile_changes_nothing);
  tcase_add_test(tcase, ink_is_multiplied);
  suite_add_tcase(suite, tcase);
  return suite;
}
