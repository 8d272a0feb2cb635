/* test_shown_name.c - names that other people gave, as they stand on a terminal. */
#include "cli/shown_name.h"
#include <check.h>
#include <string.h>

static const struct {
  const char *name, *shown;
  int columns;
} cases[] = {
    {"", "", 0},
    {"plastic, clear", "plastic, clear", 14},
    {"\u00fcn\u00ef \u732b \U0001f600", "\u00fcn\u00ef \u732b \U0001f600", 7},
    {"a\nb\033[31mc\x7f", "a?b?[31mc?", 10},
    {"a\xc2\x9b"
     "b",
     "a??b", 4}, /* CSI in one character */
    {"\x80"
     "a\xc1\xbf"
     "b\xf5\x80",
     "?a??b??", 7},
    {"cut \xe7\x8c", "cut ??", 6},
    {"0123456789012345678901234567890123456789", "01234567890123456789012345678901", 32},
    {"\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b"
     "\u732b"
     "\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b"
     "\u732b"
     "more",
     "\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b"
     "\u732b"
     "\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b\u732b"
     "\u732b",
     32},
};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(nothing_but_characters_is_shown) {
  char out[SHOWN_NAME_MAX];
  ck_assert_str_eq(shown_name(cases[_i].name, out), cases[_i].shown);
  ck_assert_int_eq(shown_name_columns(out), cases[_i].columns);
}
END_TEST

Suite *shown_name_suite(void);
Suite *shown_name_suite(void) {
  Suite *suite = suite_create("shown_name");
  TCase *tcase = tcase_create("names");
  tcase_add_loop_test(tcase, nothing_but_characters_is_shown, 0, CASES);
  suite_add_tcase(suite, tcase);
  return suite;
}
