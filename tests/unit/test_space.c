/* Jobs take their memory whole, first come, first served; who passes makes nobody wait longer. */
#include "work/space.h"
#include <check.h>
#include <string.h>

enum { JOBS = 6, LARGE = SPACE_LARGE };
static struct space *space;
static space_claim jobs[JOBS];

static void open_space(void) {
  space = space_create(1000, 4);
  ck_assert(space);
  memset(jobs, 0, sizeof jobs);
}

static void close_space(void) {
  space_free(space);
  space_free(NULL);
}

static bool take(int i, uint64_t bytes) { return space_take(space, &jobs[i], bytes, &jobs[i]); }
static void give(int i) { space_give(space, &jobs[i]); }
/* Number of the job that is handed on; -1: none. */
static int next(void) {
  const space_claim *job = space_next(space);
  if (!job)
    return -1;
  return (int)(job - jobs);
}

START_TEST(what_never_fits_is_told_both_figures) {
  cam_error error;
  ck_assert_int_eq(space_allows(space, 1000, &error), CAM_OK);
  ck_assert_int_eq(space_allows(space, 1001, &error), CAM_E_BUDGET);
  ck_assert(strstr(error.detail, "1001") && strstr(error.detail, "1000"));
}
END_TEST

START_TEST(first_come_first_served) {
  ck_assert(take(0, 800));
  ck_assert(!take(1, 500));
  ck_assert(!take(2, 600));
  ck_assert_int_eq(next(), -1);
  give(0);
  ck_assert_uint_eq(jobs[0].bytes, 0);
  ck_assert_int_eq(next(), 1);
  ck_assert_int_eq(next(), -1);
  give(1);
  give(1); /* has nothing any more */
  ck_assert_int_eq(next(), 2);
  ck_assert(take(3, 400));
}
END_TEST

START_TEST(small_ones_pass) {
  ck_assert(take(0, 800));
  ck_assert(!take(1, 900));
  ck_assert(take(2, 60));
  ck_assert(take(3, 40));
  ck_assert(!take(4, 1)); /* there is room, but the first that waits would not fit beside it */
  give(2);
  ck_assert(take(5, 60));
  give(0);
  ck_assert_int_eq(next(), 1);
  ck_assert_int_eq(next(), -1); /* all 1000 are taken */
  give(3);
  ck_assert_int_eq(next(), 4);
}
END_TEST

START_TEST(all_of_it_is_for_one_alone) {
  ck_assert(take(0, 1));
  ck_assert(!take(1, 1000));
  ck_assert(!take(2, 1));
  ck_assert_int_eq(next(), -1);
  give(0);
  ck_assert_int_eq(next(), 1);
  ck_assert_int_eq(next(), -1);
  give(1);
  ck_assert_int_eq(next(), 2);
}
END_TEST

START_TEST(a_thread_is_left_to_those_that_are_not_large) {
  for (int threads = 1; threads <= 2; threads++) {
    struct space *wide = space_create(UINT64_C(10) * LARGE, threads);
    memset(jobs, 0, sizeof jobs);
    ck_assert(space_take(wide, &jobs[0], LARGE, &jobs[0]));
    ck_assert(!space_take(wide, &jobs[1], LARGE, &jobs[1]));
    ck_assert(space_take(wide, &jobs[2], LARGE - 1, &jobs[2]));
    space_give(wide, &jobs[0]);
    ck_assert_ptr_eq(space_next(wide), &jobs[1]);
    space_free(wide);
  }
}
END_TEST

Suite *space_suite(void);
Suite *space_suite(void) {
  Suite *suite = suite_create("space");
  TCase *tcase = tcase_create("who waits");
  tcase_add_checked_fixture(tcase, open_space, close_space);
  tcase_add_test(tcase, what_never_fits_is_told_both_figures);
  tcase_add_test(tcase, first_come_first_served);
  tcase_add_test(tcase, small_ones_pass);
  tcase_add_test(tcase, all_of_it_is_for_one_alone);
  tcase_add_test(tcase, a_thread_is_left_to_those_that_are_not_large);
  suite_add_tcase(suite, tcase);
  return suite;
}
