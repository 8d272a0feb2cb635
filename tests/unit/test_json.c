/* test_json.c - what is refused when untrusted text is read, and that what is written is exact,
 * whole or nothing. */
#include "cam_encoding.h"
#include "cam_json.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json *parse(const char *text, cam_error *error) {
  return json_parse(text, strlen(text), CAM_E_BODY, error);
}

START_TEST(reads_members_in_order) {
  cam_error error;
  json *tree = parse(" {\"a\": [1, -2.5e3, \"x\\u00e9\\\"\"], \"b\": {\"c\": true, \"d\": null}, "
                     "\"A\": false} \r\n",
                     &error);
  ck_assert_ptr_nonnull(tree);
  ck_assert_int_eq(json_type_of(tree), JSON_OBJECT);
  ck_assert_int_eq(json_count(tree), 3);
  const json *a = json_first(tree), *b = json_next(a), *big_a = json_next(b);
  ck_assert_str_eq(json_name(a), "a");
  ck_assert_str_eq(json_name(b), "b");
  ck_assert_str_eq(json_name(big_a), "A");
  ck_assert_ptr_null(json_next(big_a));
  ck_assert_ptr_eq(json_member(tree, "A"), big_a);
  ck_assert_ptr_null(json_member(tree, "C"));
  ck_assert_ptr_null(json_member(a, "a"));
  ck_assert_int_eq(json_count(a), 3);
  const json *one = json_first(a), *two = json_next(one), *three = json_next(two);
  ck_assert_str_eq(json_name(one), "");
  ck_assert_double_eq(json_number(one), 1);
  ck_assert_double_eq(json_number(two), -2500);
  ck_assert_str_eq(json_text(three), "x\xc3\xa9\"");
  ck_assert(json_bool(json_member(b, "c")) && !json_bool(big_a));
  ck_assert_int_eq(json_type_of(json_member(b, "c")), JSON_BOOL);
  ck_assert_int_eq(json_type_of(json_member(b, "d")), JSON_NULL);
  ck_assert_str_eq(json_text(one), ""); /* of another type: the empty reading */
  ck_assert_double_eq(json_number(three), 0);
  ck_assert_int_eq(json_count(one), 0);
  ck_assert_ptr_null(json_first(NULL));
  json_free(tree);
  json_free(NULL);
}
END_TEST

START_TEST(refuses_what_is_not_json) {
  static const struct {
    const char *text, *detail;
  } wrong[] = {
      {"", "JSON: not valid near byte 0 of 0"},
      {"{\"a\": 1", NULL},
      {"{\"a\" 1}", NULL},
      {"[1, 2", NULL},
      {"nul", NULL},
      {"{a: 1}", NULL},
      {"'a'", NULL},
      {"\"\\ud800\"", NULL},
      {"\"\\x\"", NULL},
      {"{} x", "JSON: bytes after the end of the document, at byte 3 of 4"},
      {"[1][2]", "JSON: bytes after the end of the document, at byte 3 of 6"},
      {"{\"a\": 1, \"b\": 2, \"a\": 3}", "JSON: member \"a\" is given twice"},
      {"[{\"deep\": [{\"x\": 1, \"x\": 1}]}]", "JSON: member \"x\" is given twice"},
      {"{\"image\": \"AAAA\\u0000BBBB\"}",
       "JSON: a text holds the character NUL, at byte 15 of 27"},
      {"\"\xff\"", "JSON: not UTF-8 at byte 1 of 3"},
      {"\"\xc0\x80\"", "JSON: not UTF-8 at byte 1 of 4"},         /* NUL in a longer form */
      {"\"a\xed\xa0\x80\"", "JSON: not UTF-8 at byte 2 of 6"},    /* a surrogate */
      {"\"\xf4\x90\x80\x80\"", "JSON: not UTF-8 at byte 1 of 6"}, /* beyond U+10FFFF */
      {"\"\xe2\x82\"", "JSON: not UTF-8 at byte 1 of 4"},         /* cut */
  };
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    cam_error error = {0};
    ck_assert_msg(!parse(wrong[i].text, &error), "%s", wrong[i].text);
    ck_assert_int_eq(error.code, CAM_E_BODY);
    if (wrong[i].detail)
      ck_assert_str_eq(error.detail, wrong[i].detail);
  }
  cam_error error;
  ck_assert_ptr_null(json_parse("{}\0{}", 5, CAM_E_MODEL, &error));
  ck_assert_int_eq(error.code, CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "JSON: a byte 0 at byte 2 of 5");
  ck_assert_ptr_null(json_parse("[1]", 2, CAM_E_BODY, &error)); /* reads no byte beyond n */
  ck_assert_ptr_null(parse("]]", NULL));
}
END_TEST

START_TEST(keeps_what_is_utf8) {
  static const char *const texts[] = {"\"\\\\u0000\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\xba\"",
                                      "\"\\ud83d\\ude3a\"", "\"\\u0001\"",
                                      "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\""};
  for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
    json *tree = parse(texts[i], NULL);
    ck_assert_msg(tree, "%s", texts[i]);
    json_free(tree);
  }
}
END_TEST

START_TEST(bounds_depth_and_number_of_values) {
  cam_error error;
  char text[2 * 70 + 1];
  for (int depth = 63; depth <= 66; depth++) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = 0;
    json *tree = parse(text, &error);
    ck_assert_int_eq(tree != NULL, depth <= 64);
    if (!tree)
      ck_assert_str_eq(error.detail, "JSON: nested deeper than 64");
    json_free(tree);
  }
  json *tree = parse(
      "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"\"]",
      &error); /* in a text it is no depth */
  ck_assert_ptr_nonnull(tree);
  json_free(tree);
  const size_t many = 600000;
  char *list = malloc(many);
  for (size_t i = 0; i < many; i++)
    list[i] = i == 0 ? '[' : i == many - 1 ? ']' : i % 2 ? '0' : ',';
  ck_assert_ptr_null(json_parse(list, many - 1, CAM_E_BODY, &error));
  ck_assert_str_eq(error.detail, "JSON: more than 262144 values");
  free(list);
}
END_TEST

START_TEST(checked_readings_name_what_is_wrong) {
  cam_error error;
  json *tree = parse("{\"s\": \"text\", \"n\": 3, \"h\": 2.5, \"big\": 1e300, \"inf\": 1e999, "
                     "\"top\": 9223372036854775808}",
                     &error);
  const char *text = NULL;
  int64_t whole = -1;
  double number = -1;
#define WHERE CAM_E_MODEL, "node \"x\"", &error
  ck_assert_int_eq(json_get_text(tree, "s", &text, WHERE), CAM_OK);
  ck_assert_str_eq(text, "text");
  ck_assert_int_eq(json_get_int(tree, "n", 1, 3, &whole, WHERE), CAM_OK);
  ck_assert_int_eq(whole, 3);
  ck_assert_int_eq(json_get_number(tree, "h", 0, 3, &number, WHERE), CAM_OK);
  ck_assert_double_eq(number, 2.5);
  ck_assert_int_eq(json_get_text(tree, "n", &text, WHERE), CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "node \"x\": member \"n\" is not a string");
  ck_assert_int_eq(json_get_text(tree, "none", &text, WHERE), CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "node \"x\": member \"none\" is missing");
  ck_assert_int_eq(json_get_int(tree, "s", 0, 9, &whole, WHERE), CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "node \"x\": member \"s\" is not a number");
  ck_assert_int_eq(json_get_int(tree, "h", 0, 9, &whole, WHERE), CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "node \"x\": member \"h\" is 2.5, not a whole number");
  ck_assert_int_eq(json_get_int(tree, "n", 4, 9, &whole, WHERE), CAM_E_MODEL);
  ck_assert_str_eq(error.detail, "node \"x\": member \"n\" is 3; allowed are 4 to 9");
  ck_assert_int_eq(json_get_int(tree, "big", INT64_MIN, INT64_MAX, &whole, WHERE), CAM_E_MODEL);
  ck_assert_int_eq(json_get_int(tree, "top", INT64_MIN, INT64_MAX, &whole, WHERE),
                   CAM_E_MODEL); /* 2^63 is no int64_t */
  ck_assert_int_eq(json_get_number(tree, "inf", -INFINITY, INFINITY, &number, WHERE), CAM_E_MODEL);
  ck_assert_int_eq(json_get_text(NULL, "s", &text, WHERE), CAM_E_MODEL);
  ck_assert_int_eq(whole, 3); /* failures leave the last good reading alone */
  ck_assert_double_eq(number, 2.5);
  json_free(tree);
}
END_TEST

START_TEST(writes_exactly) {
  static const uint8_t png[] = {0x89, 0x50, 0x4e, 0xff};
  json *tree = json_new_object(), *list = json_add_array(tree, "list"),
       *inner = json_add_object(list, NULL), *child = json_new_array();
  json_add_text(inner, "text", "a\"b\\c\n\x01/\xc3\xa9");
  json_add_number(inner, "pi", 3.14159265358979);
  json_add_number(inner, "third", -1.0f / 3);
  json_add_number(list, NULL, NAN);
  json_add_number(list, NULL, -INFINITY);
  json_add_number(list, NULL, 1e-30);
  json_add_int(list, NULL, INT64_MAX);
  json_add_int(list, NULL, INT64_MIN);
  json_add_fixed(list, NULL, 2.25, 1);
  json_add_fixed(list, NULL, 1e300, 0);
  json_add_bool(tree, "yes", true);
  json_add_bool(tree, "no", false);
  json_add_base64(tree, "png", png, sizeof png);
  json_add_int(child, NULL, 7);
  json_add_tree(tree, "child", child);
  size_t n;
  char *text = json_print(tree, true, &n);
  char expected[1000];
  snprintf(expected, sizeof expected,
           "{\"list\":[{\"text\":\"a\\\"b\\\\c\\n\\u0001/"
           "\xc3\xa9\",\"pi\":3.14159265,\"third\":-0.333333343},0,0,1e-30,9223372036854775807,-"
           "9223372036854775808,2.2,%.0f],"
           "\"yes\":true,\"no\":false,\"png\":\"iVBO/w==\",\"child\":[7]}",
           1e300);
  ck_assert_str_eq(text, expected);
  ck_assert_uint_eq(n, strlen(expected));
  free(text);
  text = json_print(tree, false, NULL);
  json *back = parse(text, NULL);
  ck_assert_ptr_nonnull(back);
  ck_assert_str_eq(json_text(json_member(back, "png")), "iVBO/w==");
  free(text);
  json_free(back);
  json_free(tree);
}
END_TEST

/* Between a text that holds the mark's character and an empty one, in an array and as the last. */
START_TEST(base64_where_it_stands) {
  enum { N = 5000 };
  static uint8_t bytes[N];
  static char wanted[2 * N * 4], large[(N + 2) / 3 * 4 + 1];
  for (int i = 0; i < N; i++)
    bytes[i] = (uint8_t)(i * 7 + i / 256);
  cam_base64_encode(bytes, N, large);
  json *tree = json_new_object(), *list = json_add_array(tree, "\x01");
  json_add_base64(list, NULL, bytes, N);
  json_add_text(list, NULL, "\x01");
  json_add_base64(list, NULL, bytes, 0);
  json_add_base64(json_add_object(tree, "a"), "b", bytes + 1, 2);
  json_add_base64(tree, "c", bytes, N);
  snprintf(wanted, sizeof wanted,
           "{\"\\u0001\":[\"%s\",\"\\u0001\",\"\"],\"a\":{\"b\":\"Bw4=\"},\"c\":\"%s\"}", large,
           large);
  size_t n;
  char *text = json_print(tree, true, &n);
  ck_assert_str_eq(text, wanted);
  ck_assert_uint_eq(n, strlen(wanted));
  free(text);
  json_free(tree);
}
END_TEST

START_TEST(a_broken_tree_prints_nothing) {
  json *tree = json_new_object(), *list = json_add_array(tree, "list");
  json_add_text(list, NULL, NULL); /* what a failed copy looks like */
  json_add_int(tree, "after", 1);
  ck_assert_ptr_null(json_print(tree, true, NULL));
  json_free(tree);
  tree = json_new_array();
  json_add_tree(tree, NULL, NULL);
  ck_assert_ptr_null(json_print(tree, true, NULL));
  json_free(tree);
  json_add_text(NULL, "a", "b"); /* no parent: nothing happens */
  json_add_tree(NULL, "a", json_new_object());
  ck_assert_ptr_null(json_add_object(NULL, "a"));
  ck_assert_ptr_null(json_print(NULL, true, NULL));
}
END_TEST

Suite *json_suite(void);
Suite *json_suite(void) {
  Suite *suite = suite_create("json");
  TCase *tcase = tcase_create("json");
  tcase_add_test(tcase, reads_members_in_order);
  tcase_add_test(tcase, refuses_what_is_not_json);
  tcase_add_test(tcase, keeps_what_is_utf8);
  tcase_add_test(tcase, bounds_depth_and_number_of_values);
  tcase_add_test(tcase, checked_readings_name_what_is_wrong);
  tcase_add_test(tcase, writes_exactly);
  tcase_add_test(tcase, base64_where_it_stands);
  tcase_add_test(tcase, a_broken_tree_prints_nothing);
  suite_add_tcase(suite, tcase);
  return suite;
}
