/* test_config.c - the settings: order of sources, strict numbers, files that are wrong by line,
 * names made from the table. */
#include "base/config.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static config settings;
static cam_error error;
static char path[] = "/tmp/test_config_XXXXXX";

static void clear_environment(void) {
  char name[SETTING_NAME_MAX];
  unsetenv("CAMSERVE_CONFIG");
  for (int i = 0; i < SETTING_COUNT; i++)
    unsetenv(config_environment_name(config_settings[i].name, name));
}
static void remove_file(void) {
  config_free(&settings);
  unlink(path);
}

/* Loads a file with this text. */
static cam_code load_text(const char *text, size_t n) {
  strcpy(path + sizeof path - 7, "XXXXXX");
  int file = mkstemp(path);
  ck_assert_int_ge(file, 0);
  ck_assert_int_eq(write(file, text, n), (ssize_t)n);
  close(file);
  cam_code code = config_load(&settings, path, &error);
  return code;
}

START_TEST(defaults) {
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_OK);
  ck_assert_str_eq(settings.host, "127.0.0.1");
  ck_assert_int_eq(settings.port, 8080);
  ck_assert_str_eq(settings.model, "models/efficientnet-lite0.safetensors");
  ck_assert_str_eq(settings.log, "text");
  ck_assert_str_eq(settings.isa, "");
  ck_assert_int_eq(settings.max_body_bytes, 20 << 20);
}
END_TEST

START_TEST(every_default_is_allowed) {
  const setting *row = &config_settings[_i];
  char number[32], flag[SETTING_NAME_MAX];
  snprintf(number, sizeof number, "%lld", (long long)row->number);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_OK);
  cam_code code = config_set(&settings, row, row->kind == SETTING_NUMBER ? number : row->text,
                             config_flag_name(row->name, flag), &error);
  ck_assert_msg(code == CAM_OK, "%s", error.detail);
  ck_assert_uint_lt(strlen(row->name) + strlen("CAMSERVE_"), SETTING_NAME_MAX);
}
END_TEST

START_TEST(later_sources_win) {
  static const char text[] = "# all\nport = 1001\n[camserve]\n  queue=5 ; few\r\nlog: json\n";
  setenv("CAMSERVE_PORT", "1002", 1);
  setenv("CAMSERVE_HOST", "::1", 1);
  setenv("CAMSERVE_TEAMS", "", 1); /* as if not set */
  ck_assert_msg(load_text(text, strlen(text)) == CAM_OK, "%s", error.detail);
  ck_assert_int_eq(settings.port, 1002);
  ck_assert_int_eq(settings.queue, 5);
  ck_assert_str_eq(settings.log, "json");
  ck_assert_str_eq(settings.host, "::1");
  ck_assert_int_eq(settings.teams, 0);
  for (int i = 0; i < SETTING_COUNT; i++)
    if (!strcmp(config_settings[i].name, "port"))
      ck_assert_int_eq(config_set(&settings, &config_settings[i], "1003", "--port", &error),
                       CAM_OK);
  ck_assert_int_eq(settings.port, 1003);

  config_free(&settings);
  setenv("CAMSERVE_CONFIG", path, 1);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_OK);
  ck_assert_int_eq(settings.queue, 5);
}
END_TEST

START_TEST(numbers_are_strict) {
  static const char *const wrong[] = {
      "65536", "-1", "0x50", "80a", "8e1", "80.0", "+80", "-", "99999999999999999999", "eighty"};
  char expected[160];
  snprintf(expected, sizeof expected,
           "port: \"%s\" (CAMSERVE_PORT); allowed are whole numbers from 0 to 65535", wrong[_i]);
  setenv("CAMSERVE_PORT", wrong[_i], 1);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, expected);
}
END_TEST

START_TEST(words_and_kubernetes) {
  setenv("CAMSERVE_LOG", "tex", 1);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "log: \"tex\" (CAMSERVE_LOG); allowed are text|json");
  config_free(&settings);
  unsetenv("CAMSERVE_LOG");
  setenv("CAMSERVE_PORT", "tcp://10.0.0.1:80", 1);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "enableServiceLinks"));
}
END_TEST

static const struct {
  const char *text, *said;
} bad_files[] = {
    {"\nprot = 80\n", ":2: unknown setting \"prot\""},
    {"[server]\n", ":1: unknown section"},
    {"[camserve]\nport = 1\n\nport = 2\n", ":4: a setting that was given before"},
    {"host = a\n  teams\n", ":2: not of the form"},
    {"port = 99999\n", ":1); allowed are whole numbers from 0 to 65535"},
    {"queue =\n", "queue: \"\" ("},
};
START_TEST(bad_files_by_line) {
  ck_assert_int_eq(load_text(bad_files[_i].text, strlen(bad_files[_i].text)), CAM_E_PARAMETER);
  ck_assert_msg(strstr(error.detail, bad_files[_i].said) != NULL, "%s", error.detail);
  ck_assert_msg(strstr(error.detail, "test_config_") != NULL, "%s", error.detail);
}
END_TEST

START_TEST(long_lines_and_nul_bytes) {
  char text[400];
  memset(text, 'x', sizeof text);
  memcpy(text, "# ", 2);
  text[sizeof text - 1] = '\n';
  ck_assert_int_eq(load_text(text, sizeof text), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, ":1: a line that is too long"));
  remove_file();
  ck_assert_int_eq(load_text("port = 1\0\nqueue = 2\n", 20), CAM_E_PARAMETER);
  ck_assert_ptr_nonnull(strstr(error.detail, "NUL"));
}
END_TEST

START_TEST(no_such_file_or_a_directory) {
  ck_assert_int_eq(config_load(&settings, "/nonexistent/camserve.ini", &error), CAM_E_IO);
  ck_assert_ptr_nonnull(strstr(error.detail, "/nonexistent/camserve.ini: No such file"));
  config_free(&settings);
  ck_assert_int_eq(config_load(&settings, "/tmp", &error), CAM_E_IO);
}
END_TEST

START_TEST(names) {
  char name[SETTING_NAME_MAX];
  ck_assert_str_eq(config_environment_name("max_body_bytes", name), "CAMSERVE_MAX_BODY_BYTES");
  ck_assert_str_eq(config_flag_name("max_body_bytes", name), "--max-body-bytes");
}
END_TEST

Suite *config_suite(void);
Suite *config_suite(void) {
  Suite *suite = suite_create("config");
  TCase *tcase = tcase_create("config");
  tcase_add_checked_fixture(tcase, clear_environment, remove_file);
  tcase_add_test(tcase, defaults);
  tcase_add_loop_test(tcase, every_default_is_allowed, 0, SETTING_COUNT);
  tcase_add_test(tcase, later_sources_win);
  tcase_add_loop_test(tcase, numbers_are_strict, 0, 10);
  tcase_add_test(tcase, words_and_kubernetes);
  tcase_add_loop_test(tcase, bad_files_by_line, 0, (int)(sizeof bad_files / sizeof *bad_files));
  tcase_add_test(tcase, long_lines_and_nul_bytes);
  tcase_add_test(tcase, no_such_file_or_a_directory);
  tcase_add_test(tcase, names);
  suite_add_tcase(suite, tcase);
  return suite;
}
