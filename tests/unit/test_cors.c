/* test_cors.c - lists of origins: which are refused at start, and which requests they allow. */
#include "http/cors.h"
#include <check.h>
#include <stdio.h>
#include <string.h>

static struct cors *cors;
static cam_error error;
static void forget(void) {
  cors_free(cors);
  cors = NULL;
}

START_TEST(exact) {
  ck_assert_msg(!cors_open("https://a.example, http://localhost:3000 "
                           ",http://[::1]:8080,http://[2001:db8::1],chrome-extension://abc",
                           &cors, &error),
                "%s", error.detail);
  const char *allowed[] = {"https://a.example", "http://localhost:3000", "http://[::1]:8080",
                           "http://[2001:db8::1]", "chrome-extension://abc"};
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
    ck_assert_str_eq(cors_allow(cors, allowed[i]), allowed[i]);
  const char *others[] = {NULL,
                          "",
                          "null",
                          "*",
                          "https://a.example.evil",
                          "https://a.exampl",
                          "https://A.example",
                          "http://a.example",
                          "https://a.example:443",
                          "https://b.a.example",
                          "http://localhost",
                          "http://localhost:30000",
                          "https://a.example, http://localhost:3000",
                          " https://a.example"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    ck_assert_ptr_null(cors_allow(cors, others[i]));
  ck_assert(cors_varies(cors));
}
END_TEST

START_TEST(all_or_none) {
  ck_assert_int_eq(cors_open("*", &cors, &error), CAM_OK);
  ck_assert_str_eq(cors_allow(cors, "https://a.example"), "*");
  ck_assert_str_eq(cors_allow(cors, NULL), "*");
  ck_assert(!cors_varies(cors));
  forget();
  ck_assert_int_eq(cors_open("", &cors, &error), CAM_OK);
  ck_assert_ptr_null(cors);
  ck_assert_ptr_null(cors_allow(NULL, "https://a.example"));
  ck_assert(!cors_varies(NULL));
}
END_TEST

static const struct {
  const char *list, *said;
} bad[] = {
    {",", "\"\": an empty origin"},
    {"https://a.example,", "empty"},
    {"*,https://a.example", "stands alone"},
    {"https://a.example, *", "stands alone"},
    {"null", "sandboxed"},
    {"a.example", "\"a.example\": an origin is like"},
    {"HTTPS://a.example", "lower case"},
    {"https://A.example", "lower case"},
    {"https://", "host"},
    {"https://a.example/", "slash"},
    {"https://a.example:", "slash"},
    {"https://a.example:x", "slash"},
    {"https://a.example:123456", "slash"},
    {"https://a.example:443", "own port"},
    {"http://a.example:80", "own port"},
    {"https://a.example:8443/x", "slash"},
    {"https://*.a.example", "host"},
    {"http://[::1", "host"},
    {"://a", "is like"},
    {"https://a.example https://b.example", "slash"},
    {"https://user@a.example", "slash"},
    {"https://[::1]x", "slash"},
};
START_TEST(refused) {
  ck_assert_int_eq(cors_open(bad[_i].list, &cors, &error), CAM_E_PARAMETER);
  ck_assert_msg(strstr(error.detail, bad[_i].said) != NULL, "%s", error.detail);
  ck_assert_ptr_null(cors);
}
END_TEST

START_TEST(not_too_many) {
  char list[20 * (CORS_ORIGINS + 1)], *end = list;
  for (int i = 0; i < CORS_ORIGINS; i++)
    end += sprintf(end, "%shttp://a:%d", i ? "," : "", i + 1000);
  ck_assert_int_eq(cors_open(list, &cors, &error), CAM_OK);
  forget();
  strcpy(end, ",http://b");
  ck_assert_int_eq(cors_open(list, &cors, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "cors: more than 64 origins");
}
END_TEST

Suite *cors_suite(void);
Suite *cors_suite(void) {
  Suite *suite = suite_create("cors");
  TCase *tcase = tcase_create("cors");
  tcase_add_checked_fixture(tcase, NULL, forget);
  tcase_add_test(tcase, exact);
  tcase_add_test(tcase, all_or_none);
  tcase_add_loop_test(tcase, refused, 0, (int)(sizeof bad / sizeof *bad));
  tcase_add_test(tcase, not_too_many);
  suite_add_tcase(suite, tcase);
  return suite;
}
