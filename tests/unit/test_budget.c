/* test_budget.c - a budget is never exceeded, says what was wanted, gives zeros, frees what was
 * forgotten (which the sanitizer sees). */
#include "photo/budget.h"
#include <check.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 100000 };

static bool all_zero(const uint8_t *block, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (block[i])
      return false;
  return true;
}

/* Blocks of `size` bytes that are given at a time. */
static int given(size_t size, void *(*take)(size_t)) {
  int n = 0;
  budget_begin(LIMIT);
  while (n < 1000 && take(size))
    n++;
  ck_assert_int_eq(budget_count(), n);
  return n;
}

START_TEST(holds_its_limit) {
  static const struct {
    size_t size;
    int blocks;
  } cases[] = {{LIMIT + 1, 0}, {LIMIT, 1},    {LIMIT / 2 + 1, 1},
               {LIMIT / 3, 2}, {SIZE_MAX, 0}, {SIZE_MAX / 2, 0}};
  cam_error error;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ck_assert_int_eq(given(cases[i].size, budget_malloc),
                     cases[i].blocks); /* a block is a few bytes larger than asked: of three thirds
                                          one is too much */
    ck_assert_int_eq(budget_end(NULL, &error), CAM_E_BUDGET);
    ck_assert_ptr_nonnull(strstr(error.detail, "allowed are 100000"));
  }
  budget_begin(LIMIT);
  ck_assert_ptr_null(budget_malloc(123456));
  ck_assert_ptr_null(budget_malloc(200000));
  ck_assert_ptr_nonnull(budget_malloc(90000));
  ck_assert_int_eq(budget_end(NULL, &error), CAM_E_BUDGET);
  ck_assert_str_eq(error.detail,
                   "decoding needs 123456 bytes of memory or more; allowed are 100000");
  budget_begin(LIMIT); /* nothing is left of it */
  ck_assert_int_eq(budget_end(NULL, &error), CAM_OK);
}
END_TEST

START_TEST(small_blocks_are_always_given) {
  cam_error error;
  budget_begin(10);
  for (int i = 0; i < 30; i++)
    ck_assert(all_zero(budget_malloc_small(BUDGET_SMALL), BUDGET_SMALL));
  ck_assert_int_eq(budget_end(NULL, &error), CAM_OK);
  budget_begin(10);
  ck_assert_ptr_null(budget_malloc_small(BUDGET_SMALL + 1));
  ck_assert_int_eq(budget_end(NULL, &error), CAM_E_BUDGET);
}
END_TEST

START_TEST(many_blocks_have_an_end) {
  cam_error error;
  ck_assert_int_eq(given(1, budget_malloc), 64);
  ck_assert_int_eq(budget_end(NULL, &error), CAM_E_NO_MEMORY);
}
END_TEST

START_TEST(what_is_freed_can_be_taken_again) {
  cam_error error;
  budget_begin(LIMIT);
  for (int i = 0; i < 1000; i++) {
    uint8_t *block = budget_malloc(LIMIT - 100);
    ck_assert(all_zero(block, LIMIT - 100));
    memset(block, 0xff, LIMIT - 100);
    budget_free(block);
  }
  budget_free(NULL);
  ck_assert_int_eq(budget_end(NULL, &error), CAM_OK);
}
END_TEST

START_TEST(one_block_is_kept) {
  cam_error error;
  budget_begin(LIMIT);
  uint8_t *kept = budget_malloc(60000);
  ck_assert_ptr_nonnull(budget_malloc(10)); /* freed by the end */
  ck_assert_ptr_null(budget_malloc(60001));
  kept[59999 + BUDGET_SLACK] = 1;
  ck_assert_int_eq(budget_end(kept, &error), CAM_E_BUDGET);
  kept[0] = 7; /* it is still there */
  free(kept);
}
END_TEST

Suite *budget_suite(void);
Suite *budget_suite(void) {
  Suite *suite = suite_create("budget");
  TCase *tcase = tcase_create("budget");
  tcase_set_tags(tcase, "alone");
  tcase_add_test(tcase, holds_its_limit);
  tcase_add_test(tcase, small_blocks_are_always_given);
  tcase_add_test(tcase, many_blocks_have_an_end);
  tcase_add_test(tcase, what_is_freed_can_be_taken_again);
  tcase_add_test(tcase, one_block_is_kept);
  suite_add_tcase(suite, tcase);
  return suite;
}
