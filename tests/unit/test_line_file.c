/* test_line_file.c - lines that are there: told by how they begin, in every spelling of JSON; half
 * lines cut, other files left as they are, two writers refused; names counted. */
#include "cli/line_file.h"
#include "wire/file_name.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static cam_error error;
static name_set there;
static line_file file;
static int64_t n_there;

static void put(const char *text, size_t n) {
  FILE *out = fopen(path, "w");
  ck_assert_uint_eq(fwrite(text, 1, n, out), n);
  fclose(out);
}
static const char *content(void) {
  static char text[1 << 20];
  FILE *in = fopen(path, "r");
  text[fread(text, 1, sizeof text - 1, in)] = '\0';
  fclose(in);
  return text;
}
static cam_code open_file(bool resume) {
  return line_file_open(&file, path, resume, &there, &n_there, &error);
}

static void begin(void) {
  strcpy(path, "/tmp/test_line_file_XXXXXX");
  close(mkstemp(path));
}
static void end(void) {
  name_set_free(&there);
  line_file_close(&file, &error);
  unlink(path);
}

START_TEST(names_are_counted) {
  char name[16];
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "%d", i % 4000);
    ck_assert(name_set_add(&there, name, strlen(name)));
  }
  for (int i = 0; i < 4000; i++) {
    snprintf(name, sizeof name, "%d", i);
    ck_assert(name_set_take(&there, name, strlen(name)));
    ck_assert_int_eq(name_set_take(&there, name, strlen(name)), i < 1000);
    ck_assert(!name_set_take(&there, name, strlen(name)));
  }
  ck_assert(!name_set_take(&there, "", 0));
  ck_assert(name_set_add(&there, "0", 1));
  ck_assert(name_set_take(&there, "0", 1));
}
END_TEST

/* What --resume finds: the name that is there, and what is left of the file. */
static const struct {
  const char *text, *name, *left;
} resumed[] = {
    {"", NULL, ""},
    {"{\"file\":\"a.jpg\",\"model\":1}\n", "a.jpg", NULL},
    {"{\"file\":\"a\\\"b\\\\\",\"model\":1}\n", "a\"b\\", NULL},
    {" { \"file\" :\t\"\\u00e9\\n/x\" , \"model\":1}\n", "\xc3\xa9\n/x", NULL},
    {"{\"file\":\"a.jpg\"}\n", "a.jpg", NULL},
    {"{\"file\":\"\xef\xbf\xbd\",\"file_base64\":\"/w==\",\"x\":1}\n", "/w==", NULL},
    {"{\"file\":\"a\"}\n{\"file\":\"b.jpg\",\"pred", "a", "{\"file\":\"a\"}\n"},
    {"{\"file\":\"a\"}\n{", "a", "{\"file\":\"a\"}\n"},
    {"{\"fi", NULL, ""},
};
START_TEST(resumes) {
  const char *text = resumed[_i].text, *left = resumed[_i].left;
  put(text, strlen(text));
  ck_assert_msg(open_file(true) == CAM_OK, "%s", error.detail);
  ck_assert_int_eq(n_there, resumed[_i].name != NULL);
  if (resumed[_i].name)
    ck_assert(name_set_take(&there, resumed[_i].name, strlen(resumed[_i].name)));
  ck_assert_int_eq(line_file_write(&file, "more\n", 5, &error), CAM_OK);
  ck_assert_int_eq(line_file_close(&file, &error), CAM_OK);
  char expected[200];
  snprintf(expected, sizeof expected, "%smore\n", left ? left : text);
  ck_assert_str_eq(content(), expected);
}
END_TEST

static const char *const foreign[] = {
    "hello\n", "\x89PNG\r\n", "a.jpg\nb.jpg\n", "x", "{\"model\":1}\n", "\n",
};
START_TEST(leaves_other_files_alone) {
  put(foreign[_i], strlen(foreign[_i]));
  ck_assert_int_eq(open_file(true), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, ":1: not a line of"));
  line_file_close(&file, &error);
  ck_assert_int_eq(open_file(false), CAM_E_IO);
  ck_assert_str_eq(content(), foreign[_i]);
}
END_TEST

START_TEST(names_the_line_that_is_wrong) {
  static const char text[] = "{\"file\":\"a\"}\n{\"file\":7}\n";
  put(text, sizeof text - 1);
  ck_assert_int_eq(open_file(true), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, ":2: not a line of"));
  ck_assert_str_eq(content(), text);
}
END_TEST

START_TEST(begins_only_where_no_line_is) {
  static const char text[] = "{\"file\":\"a\"}\n{\"file\":\"b\"}\n{\"fi";
  put(text, sizeof text - 1);
  ck_assert_int_eq(open_file(false), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, " has 2 lines; --resume goes on"));
  ck_assert_str_eq(content(), text);
  line_file_close(&file, &error);
  put("{\"fi", 4);
  ck_assert_int_eq(open_file(false), CAM_OK);
  ck_assert_int_eq(n_there, 0);
  ck_assert_str_eq(content(), "");
}
END_TEST

START_TEST(says_whose_the_last_lines_are) {
  static const char text[] =
      "{\"file\":\"a\",\"request_id\":\"x\",\"model\":\"first\"}\n"
      "{\"file\":\"\",\"file_base64\":\"/w==\",\"request_id\":\"\",\"model\":\"second\"}\n"
      "{\"file\":\"b\",\"error\":{\"model\":\"third\"}}\n";
  put(text, sizeof text - 1);
  ck_assert_int_eq(open_file(true), CAM_OK);
  ck_assert_str_eq(file.model, "second");
}
END_TEST

START_TEST(one_writer) {
  line_file second;
  ck_assert_int_eq(open_file(true), CAM_OK);
  ck_assert_int_eq(line_file_open(&second, path, true, &there, &n_there, &error), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "another camserve"));
  line_file_close(&second, &error);
  ck_assert_int_eq(line_file_open(&second, "/dev/null", true, &there, &n_there, &error), CAM_E_IO);
  line_file_close(&second, &error);
  ck_assert_int_eq(line_file_open(&second, "/dev/full", false, &there, &n_there, &error), CAM_OK);
  ck_assert_int_eq(line_file_write(&second, "x\n", 2, &error), CAM_E_IO);
  line_file_close(&second, &error);
}
END_TEST

/* Lines longer than what is looked at of them, and names at the ends of blocks. */
START_TEST(long_lines) {
  FILE *out = fopen(path, "w");
  for (int i = 0; i < 8; i++) {
    fprintf(out, "{\"file\":\"photo %d\",\"overlay\":\"", i);
    for (int k = 0; k < 131000 + i; k++)
      putc('A', out);
    fprintf(out, "\"}\n");
  }
  fprintf(out, "{\"file\":\"half");
  fclose(out);
  ck_assert_int_eq(open_file(true), CAM_OK);
  ck_assert_int_eq(n_there, 8);
  for (int i = 0; i < 8; i++)
    ck_assert(name_set_take(&there, (char[]){'p', 'h', 'o', 't', 'o', ' ', (char)('0' + i)}, 7));
}
END_TEST

/* Bytes of a path -> "file", "file_base64". */
static const struct {
  const char *path, *line, *key;
} names[] = {
    {"a/b.jpg", "{\"file\":\"a/b.jpg\"}", "a/b.jpg"},
    {"a\nb\"\\\x01", "{\"file\":\"a\\nb\\\"\\\\\\u0001\"}", "a\nb\"\\\x01"},
    {"\xc3\xa9\xf0\x9f\x90\x88", "{\"file\":\"\xc3\xa9\xf0\x9f\x90\x88\"}",
     "\xc3\xa9\xf0\x9f\x90\x88"},
    {"\xff", "{\"file\":\"\xef\xbf\xbd\",\"file_base64\":\"/w==\"}", "/w=="},
    {"a\xc3", "{\"file\":\"a\xef\xbf\xbd\",\"file_base64\":\"YcM=\"}", "YcM="},
    {"\xc0\x80", "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"file_base64\":\"wIA=\"}", "wIA="},
    {"\xed\xa0\x80", "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"file_base64\":\"7aCA\"}",
     "7aCA"},
    {"\xf4\x90\x80\x80",
     "{\"file\":\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"file_base64\":\"9JCAgA==\"}",
     "9JCAgA=="},
};
START_TEST(bytes_as_json) {
  json *tree = json_new_object();
  file_name_add(tree, names[_i].path);
  char *text = json_print(tree, true, NULL), *key = file_name_key(names[_i].path);
  ck_assert_str_eq(text, names[_i].line);
  ck_assert_str_eq(key, names[_i].key);
  json_free(tree);
  char line[200];
  put(line, (size_t)snprintf(line, sizeof line, "%s\n", text));
  ck_assert_int_eq(open_file(true), CAM_OK);
  ck_assert(name_set_take(&there, key, strlen(key)));
  free(text);
  free(key);
}
END_TEST

Suite *line_file_suite(void);
Suite *line_file_suite(void) {
  Suite *suite = suite_create("line_file");
  TCase *tcase = tcase_create("line_file");
  tcase_add_checked_fixture(tcase, begin, end);
  tcase_add_test(tcase, names_are_counted);
  tcase_add_loop_test(tcase, resumes, 0, (int)(sizeof resumed / sizeof *resumed));
  tcase_add_loop_test(tcase, leaves_other_files_alone, 0, (int)(sizeof foreign / sizeof *foreign));
  tcase_add_test(tcase, names_the_line_that_is_wrong);
  tcase_add_test(tcase, begins_only_where_no_line_is);
  tcase_add_test(tcase, says_whose_the_last_lines_are);
  tcase_add_test(tcase, one_writer);
  tcase_add_test(tcase, long_lines);
  tcase_add_loop_test(tcase, bytes_as_json, 0, (int)(sizeof names / sizeof *names));
  suite_add_tcase(suite, tcase);
  return suite;
}
