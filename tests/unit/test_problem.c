/* test_problem.c - every error has a status and a title; problem documents to the letter. */
#include "wire/problem.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(every_code_has_a_status_with_a_title) {
  int status = problem_status((cam_code)_i);
  ck_assert_msg(_i == CAM_OK ? status == 200 : status >= 400 && status <= 599, "%s has status %d",
                cam_code_name((cam_code)_i), status);
  ck_assert_str_ne(problem_title(status), "Unknown Status");
}
END_TEST

START_TEST(statuses_of_the_contract) {
  static const struct {
    cam_code code;
    int status;
  } expected[] = {
      {CAM_E_PARAMETER, 400}, {CAM_E_BODY, 400},      {CAM_E_UNAUTHORIZED, 401},
      {CAM_E_NOT_FOUND, 404}, {CAM_E_METHOD, 405},    {CAM_E_NOT_ACCEPTABLE, 406},
      {CAM_E_LENGTH, 411},    {CAM_E_TOO_LARGE, 413}, {CAM_E_HEADERS, 431},
      {CAM_E_REPLY, 422},     {CAM_E_FORMAT, 415},    {CAM_E_PHOTO, 422},
      {CAM_E_PIXELS, 422},    {CAM_E_BUDGET, 422},    {CAM_E_BUSY, 429},
      {CAM_E_ROOM, 429},      {CAM_E_NOT_READY, 503}, {CAM_E_DEADLINE, 503},
      {CAM_E_INTERNAL, 500},  {CAM_CODES, 500},       {(cam_code)-1, 500},
  };
  for (unsigned i = 0; i < sizeof expected / sizeof *expected; i++)
    ck_assert_int_eq(problem_status(expected[i].code), expected[i].status);
}
END_TEST

/* Both are "busy" to a caller, who waits and tries again; what an operator does about them differs.
 */
START_TEST(two_ways_to_be_busy) {
  ck_assert_str_eq(cam_code_name(CAM_E_BUSY), "busy");
  ck_assert_str_eq(cam_code_name(CAM_E_ROOM), "busy");
  for (int code = 0; code < CAM_CODES; code++) {
    const int status = problem_status((cam_code)code);
    if (problem_passes((cam_code)code))
      ck_assert(status == 429 || status == 503);
    else
      ck_assert_int_ne(status, 429);
  }
  ck_assert(problem_passes(CAM_E_BUSY) && problem_passes(CAM_E_NOT_READY));
  ck_assert(!problem_passes(CAM_E_TOO_LARGE) && !problem_passes(CAM_E_DEADLINE));
}
END_TEST

static void check_text(const cam_error *error, const char *expected) {
  size_t n = 0;
  char *text = problem_text(error, "id-1", &n);
  ck_assert_str_eq(text, expected);
  ck_assert_uint_eq(n, strlen(text));
  free(text);
}

START_TEST(documents) {
  cam_error error;
  cam_fail(&error, CAM_E_PARAMETER, "top_k: \"0\"; allowed are 1 to 10");
  check_text(&error,
             "{\"type\":\"about:blank\",\"title\":\"Bad "
             "Request\",\"status\":400,\"detail\":\"top_k: \\\"0\\\"; allowed are 1 to 10\","
             "\"code\":\"bad_parameter\",\"request_id\":\"id-1\"}");
  cam_fail(&error, CAM_E_PHOTO, "cut at byte 7");
  error.stage = cam_stage_name(CAM_STAGE_DECODE);
  check_text(&error, "{\"type\":\"about:blank\",\"title\":\"Unprocessable "
                     "Content\",\"status\":422,\"detail\":\"cut at byte 7\","
                     "\"code\":\"broken_photo\",\"request_id\":\"id-1\",\"stage\":\"decode\"}");
  check_text(&(cam_error){.code = CAM_E_BUSY},
             "{\"type\":\"about:blank\",\"title\":\"Too Many "
             "Requests\",\"status\":429,\"detail\":\"the queue is full\","
             "\"code\":\"busy\",\"request_id\":\"id-1\"}");
}
END_TEST

Suite *problem_suite(void);
Suite *problem_suite(void) {
  Suite *suite = suite_create("problem");
  TCase *tcase = tcase_create("problem");
  tcase_add_loop_test(tcase, every_code_has_a_status_with_a_title, 0, CAM_CODES);
  tcase_add_test(tcase, statuses_of_the_contract);
  tcase_add_test(tcase, two_ways_to_be_busy);
  tcase_add_test(tcase, documents);
  suite_add_tcase(suite, tcase);
  return suite;
}
