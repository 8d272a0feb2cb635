/* test_trace.c - traceparent headers: the cases of https://www.w3.org/TR/trace-context/ and of its
 * test suite. */
#include "wire/trace.h"
#include <check.h>
#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static const char *const good[] = {
    "00-" TRACE "-" PARENT "-01",  "00-" TRACE "-" PARENT "-00",
    "00-" TRACE "-" PARENT "-ff",  " \t00-" TRACE "-" PARENT "-01\t ",
    "cc-" TRACE "-" PARENT "-01",  "cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like",
    "01-" TRACE "-" PARENT "-01-",
};
START_TEST(valid) {
  trace found;
  ck_assert(trace_parse(good[_i], &found));
  ck_assert_str_eq(found.trace_id, TRACE);
  ck_assert_str_eq(found.parent_id, PARENT);
}
END_TEST

static const char *const bad[] = {
    NULL,
    "",
    "00",
    "00-" TRACE,
    "00-" TRACE "-" PARENT,
    "00-" TRACE "-" PARENT "-",
    "00-" TRACE "-" PARENT "-0",
    "00-" TRACE "-" PARENT "-01-",
    "00-" TRACE "-" PARENT "-01x",
    "00-" TRACE "-" PARENT "-01-what",
    "cc-" TRACE "-" PARENT "-01.what",
    "cc-" TRACE "-" PARENT "-011",
    "ff-" TRACE "-" PARENT "-01",
    "0-" TRACE "-" PARENT "-01",
    "000-" TRACE "-" PARENT "-01",
    ".0-" TRACE "-" PARENT "-01",
    "00-00000000000000000000000000000000-" PARENT "-01",
    "00-" TRACE "-0000000000000000-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
    "00-.bf92f3577b34da6a3ce929d0e0e4736-" PARENT "-01",
    "00-" TRACE "-00f067aa0ba902bX-01",
    "00-" TRACE "-" PARENT "-.1",
    "00-" TRACE "7-" PARENT "-01",
    "00_" TRACE "-" PARENT "-01",
    "00-" TRACE "_" PARENT "-01",
    "00-" TRACE "-" PARENT "_01",
    "00-" TRACE "-" PARENT "-01,00-" TRACE "-" PARENT "-01",
};
START_TEST(invalid) {
  trace found;
  memset(&found, 'x', sizeof found);
  ck_assert_msg(!trace_parse(bad[_i], &found), "%s", bad[_i]);
  ck_assert_int_eq(found.trace_id[0], 0);
  ck_assert_int_eq(found.parent_id[0], 0);
}
END_TEST

Suite *trace_suite(void);
Suite *trace_suite(void) {
  Suite *suite = suite_create("trace");
  TCase *tcase = tcase_create("trace");
  tcase_add_loop_test(tcase, valid, 0, (int)(sizeof good / sizeof *good));
  tcase_add_loop_test(tcase, invalid, 0, (int)(sizeof bad / sizeof *bad));
  suite_add_tcase(suite, tcase);
  return suite;
}
