/* test_whole.c - whole numbers from text: the ends of the range, every form that is not plain
 * digits, numbers that no type holds. */
#include "base/whole.h"
#include <check.h>

static const struct {
  const char *text;
  int64_t least, most, value;
} right[] = {
    {"0", 0, 9, 0},
    {"9", 0, 9, 9},
    {"007", 0, 9, 7},
    {"-1", -1, 65535, -1},
    {"0", -1, 65535, 0},
    {"9223372036854775807", 0, INT64_MAX, INT64_MAX},
    {"-9223372036854775808", INT64_MIN, 0, INT64_MIN},
    {"00000000000000000000000000000000000000005", 0, 9, 5},
};
START_TEST(read) {
  int64_t value = 77;
  ck_assert_msg(whole_read(right[_i].text, right[_i].least, right[_i].most, &value), "%s",
                right[_i].text);
  ck_assert_int_eq(value, right[_i].value);
}
END_TEST

static const struct {
  const char *text;
  int64_t least, most;
} wrong[] = {
    {"", 0, 9},
    {"-", -9, 9},
    {"-1", 0, 9},
    {"-0", 0, 9},
    {"--1", -9, 9},
    {"+1", 0, 9},
    {" 1", 0, 9},
    {"1 ", 0, 9},
    {"1\n", 0, 9},
    {"1.0", 0, 9},
    {"1e0", 0, 9},
    {"0x1", 0, 9},
    {"1,000", 0, 9999},
    {"10", 0, 9},
    {"0", 1, 9},
    {"9223372036854775808", 0, INT64_MAX},
    {"18446744073709551615", 0, INT64_MAX},
    {"18446744073709551617", 0, INT64_MAX},
    {"-9223372036854775809", INT64_MIN, INT64_MAX},
    {"\xd9\xa3", 0, 9}, /* a digit, but not one of ours */
};
START_TEST(refused) {
  int64_t value = 77;
  ck_assert_msg(!whole_read(wrong[_i].text, wrong[_i].least, wrong[_i].most, &value), "%s",
                wrong[_i].text);
  ck_assert_int_eq(value, 77);
}
END_TEST

Suite *whole_suite(void);
Suite *whole_suite(void) {
  Suite *suite = suite_create("whole");
  TCase *tcase = tcase_create("whole");
  tcase_add_loop_test(tcase, read, 0, (int)(sizeof right / sizeof *right));
  tcase_add_loop_test(tcase, refused, 0, (int)(sizeof wrong / sizeof *wrong));
  suite_add_tcase(suite, tcase);
  return suite;
}
