/* test_keys.c - files of keys that are right and wrong, by line; what counts as a given key;
 * reading again while others ask. */
#include "http/keys.h"
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "0123456789abcdef"
static char path[] = "/tmp/test_keys_XXXXXX";
static struct keys *keys;
static cam_error error;
static char name[KEY_NAME_MAX + 1];

static void make_file(void) {
  strcpy(path + sizeof path - 7, "XXXXXX");
  close(mkstemp(path));
}
static void remove_file(void) {
  keys_free(keys);
  keys = NULL;
  unlink(path);
}

static void write_bytes(const char *text, size_t n) {
  FILE *file = fopen(path, "w");
  ck_assert_uint_eq(fwrite(text, 1, n, file), n);
  fclose(file);
}
static cam_code open_bytes(const char *text, size_t n) {
  write_bytes(text, n);
  keys_free(keys);
  error = (cam_error){0};
  return keys_open(path, &keys, &error);
}
static cam_code open_text(const char *text) { return open_bytes(text, strlen(text)); }

START_TEST(names_and_keys) {
  ck_assert_msg(!open_text("# who may call\r\n\r\n  # more\nanna " KEY "1\r\n\t anna\t" KEY
                           "2 \n" KEY "3\n!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
                "%s", error.detail);
  const struct {
    const char *key, *name;
  } known[] = {
      {KEY "1", "anna"},
      {KEY "2", "anna"},
      {KEY "3", "line-6"},
      {"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "line-7"},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    ck_assert(keys_find(keys, known[i].key, name));
    ck_assert_str_eq(name, known[i].name);
  }
  const char *unknown[] = {"",
                           KEY,
                           KEY "4",
                           KEY "1 ",
                           KEY "11",
                           "anna",
                           "0123456789ABCDEF1",
                           "anna " KEY "1",
                           "# who may call"};
  strcpy(name, "before");
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
    ck_assert_msg(!keys_find(keys, unknown[i], name), "%s", unknown[i]);
  ck_assert_str_eq(name, "before");
}
END_TEST

START_TEST(none_are_asked_for) {
  ck_assert_int_eq(keys_open("", &keys, &error), CAM_OK);
  ck_assert_ptr_null(keys);
  ck_assert(keys_reload(NULL));
  keys_free(NULL);
}
END_TEST

static const struct {
  const char *text, *said;
} bad[] = {
    {"\n", ": there is no key in it"},
    {"# nothing", ": there is no key in it"},
    {"\n0123456789abcde\n", ":2: a key of 15 characters; allowed are 16 to 256"},
    {"anna short\n", ":1: a key of 5 characters; allowed are 16 to 256"},
    {KEY "\n\nanna " KEY "\n", ":3: the key of line 1 once more"},
    {"anna b " KEY "\n", ":1: more than two words"},
    {KEY " # anna\n", ":1: more than two words"},
    {"an:na " KEY "\n", ":1: the first of two words is a name"},
    {"a23456789012345678901234567890123 " KEY "\n", ":1: the first of two words is a name"},
    {KEY "1\n" KEY "\xc3\xa4\n", ":2: a character that is not printable ASCII"},
    {"\xef\xbb\xbf" KEY "\n", ":1: a character that is not printable ASCII"},
    {KEY "1\r2\n", ":1: a character that is not printable ASCII"},
};
START_TEST(wrong_by_line) {
  ck_assert_int_eq(open_text(bad[_i].text), CAM_E_PARAMETER);
  ck_assert_msg(strstr(error.detail, bad[_i].said) && strstr(error.detail, "test_keys_"), "%s",
                error.detail);
  ck_assert_ptr_null(keys);
  ck_assert_ptr_null(strstr(error.detail, KEY));
}
END_TEST

START_TEST(bounds) {
  char line[KEY_MOST + 3];
  memset(line, 'k', sizeof line);
  line[KEY_MOST] = '\n';
  ck_assert_int_eq(open_bytes(line, KEY_MOST + 1), CAM_OK);
  line[KEY_MOST] = 'k';
  ck_assert_int_eq(open_bytes(line, KEY_MOST + 1), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "a key of 257 characters"));
  ck_assert_int_eq(open_bytes(KEY "\0\n", sizeof KEY + 1), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "not printable"));
  ck_assert_int_eq(open_text(""), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "0 bytes; allowed are 1 to 524288"));

  FILE *file = fopen(path, "w");
  for (int i = 0; i <= KEYS_MOST; i++)
    fprintf(file, KEY "%d\n", i);
  fclose(file);
  ck_assert_int_eq(keys_open(path, &keys, &error), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, ":1001: one key too many; allowed are 1000"));
  ck_assert_int_eq(truncate(path, KEYS_FILE_BYTES + 1), 0);
  ck_assert_int_eq(keys_open(path, &keys, &error), CAM_E_IO);
}
END_TEST

START_TEST(not_a_file) {
  ck_assert_int_eq(keys_open("/nonexistent/keys", &keys, &error), CAM_E_IO);
  ck_assert_str_eq(error.detail, "keys: /nonexistent/keys: No such file or directory");
  ck_assert_int_eq(keys_open("/tmp", &keys, &error), CAM_E_IO);
  ck_assert_int_eq(keys_open("/dev/zero", &keys, &error), CAM_E_IO);
  ck_assert_str_eq(error.detail, "keys: /dev/zero: not a regular file");
}
END_TEST

START_TEST(headers) {
  const struct {
    const char *authorization, *api_key, *given;
  } cases[] = {
      {NULL, NULL, NULL},   {"Bearer a", NULL, "a"}, {"bEARER   a b", "c", "a b"},
      {NULL, "c", "c"},     {"Basic a", NULL, NULL}, {"Basic a", "c", "c"},
      {"Bearer", "c", "c"}, {"Bearer ", NULL, ""},   {"Bearera", NULL, NULL},
      {NULL, "", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *given = keys_given(cases[i].authorization, cases[i].api_key);
    ck_assert(!given == !cases[i].given);
    if (given)
      ck_assert_str_eq(given, cases[i].given);
  }
}
END_TEST

START_TEST(a_bad_file_keeps_the_keys) {
  ck_assert_int_eq(open_text("old " KEY "\n"), CAM_OK);
  write_bytes("short\n", 6);
  ck_assert(!keys_reload(keys));
  unlink(path);
  ck_assert(!keys_reload(keys));
  ck_assert(keys_find(keys, KEY, name));
  write_bytes("new " KEY "2\n", 22);
  ck_assert(keys_reload(keys));
  ck_assert(!keys_find(keys, KEY, name));
  ck_assert(keys_find(keys, KEY "2", name));
  ck_assert_str_eq(name, "new");
}
END_TEST

static void *ask(void *closure) {
  atomic_bool *stop = closure;
  char found[KEY_NAME_MAX + 1];
  long lost = 0;
  while (!atomic_load(stop))
    lost += !keys_find(keys, KEY "stays", found) || strcmp(found, "stays");
  return (void *)lost;
}

START_TEST(exchanged_while_others_ask) {
  atomic_bool stop = false;
  pthread_t threads[2];
  void *lost;
  ck_assert_int_eq(open_text("stays " KEY "stays\n"), CAM_OK);
  for (int t = 0; t < 2; t++)
    ck_assert_int_eq(pthread_create(&threads[t], NULL, ask, &stop), 0);
  for (int i = 0; i < 50; i++) {
    const char *text = i % 2 ? "stays " KEY "stays\n" : "goes " KEY "goes_\nstays " KEY "stays\n";
    write_bytes(text, strlen(text));
    ck_assert(keys_reload(keys));
  }
  atomic_store(&stop, true);
  for (int t = 0; t < 2; t++) {
    pthread_join(threads[t], &lost);
    ck_assert_ptr_null(lost);
  }
}
END_TEST

Suite *keys_suite(void);
Suite *keys_suite(void) {
  Suite *suite = suite_create("keys");
  TCase *tcase = tcase_create("keys");
  tcase_add_checked_fixture(tcase, make_file, remove_file);
  tcase_add_test(tcase, names_and_keys);
  tcase_add_test(tcase, none_are_asked_for);
  tcase_add_loop_test(tcase, wrong_by_line, 0, (int)(sizeof bad / sizeof *bad));
  tcase_add_test(tcase, bounds);
  tcase_add_test(tcase, not_a_file);
  tcase_add_test(tcase, headers);
  tcase_add_test(tcase, a_bad_file_keeps_the_keys);
  tcase_add_test(tcase, exchanged_while_others_ask);
  suite_add_tcase(suite, tcase);
  return suite;
}
