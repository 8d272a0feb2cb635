/* test_team.c - every index once, on every size of team, many loops in a row, sleeping threads
 * woken. */
#include "base/team.h"
#include "cam_engine.h"
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST = 1000 };
static void count_index(void *closure, int index, int thread) {
  int(*counts)[2] = closure;
  counts[index][0]++;
  counts[index][1] = thread;
}

START_TEST(each_index_once) {
  cam_team *team;
  ck_assert_int_eq(team_create(_i, &team, NULL), CAM_OK);
  ck_assert_int_eq(team_threads(team), _i);
  int(*counts)[2] = calloc(MOST, sizeof *counts);
  for (int loop = 0; loop < 3000; loop++) {
    int n = loop % 40 == 39 ? MOST : loop % 13;
    if (loop % 1000 == 500)
      usleep(3000); /* long enough for the others to sleep */
    for (int i = 0; i < n; i++)
      counts[i][0] = 0;
    team_for(team, n, count_index, counts);
    int wrong = 0; /* each ck_assert writes to a file: 200,000 of them took most of the time */
    for (int i = 0; i < n; i++)
      wrong += counts[i][0] != 1 || counts[i][1] < 0 || counts[i][1] >= _i;
    ck_assert_int_eq(wrong, 0);
  }
  free(counts);
  team_free(team);
}
END_TEST

START_TEST(refuses_no_and_too_many_threads) {
  cam_team *team;
  cam_error error;
  ck_assert_int_eq(team_create(0, &team, &error), CAM_E_PARAMETER);
  ck_assert_int_eq(team_create(CAM_MAX_TEAM + 1, &team, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "threads: 65; allowed are 1 to 64");
  ck_assert_ptr_null(team);
  team_free(NULL);
}
END_TEST

Suite *team_suite(void);
Suite *team_suite(void) {
  Suite *suite = suite_create("team");
  TCase *tcase = tcase_create("team");
  tcase_add_loop_test(tcase, each_index_once, 1, 6);
  tcase_add_test(tcase, refuses_no_and_too_many_threads);
  suite_add_tcase(suite, tcase);
  return suite;
}
