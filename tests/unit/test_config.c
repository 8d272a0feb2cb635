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
  unsetenv("PORT");
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

START_TEST(lists) {
  static const char text[] = "model = a,b\nport = 1\nmodel: c\n";
  ck_assert_msg(load_text(text, strlen(text)) == CAM_OK, "%s", error.detail);
  ck_assert_str_eq(settings.model, "a,b,c");
  config_free(&settings);
  setenv("CAMSERVE_MODEL", "d,e", 1);
  setenv("CAMSERVE_CONFIG", path, 1);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_OK);
  ck_assert_str_eq(settings.model, "d,e");
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

START_TEST(words) {
  setenv("CAMSERVE_LOG", "tex", 1);
  ck_assert_int_eq(config_load(&settings, NULL, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "log: \"tex\" (CAMSERVE_LOG); allowed are text|json");
}
END_TEST

static const struct {
  const char *own, *platform; /* CAMSERVE_PORT, PORT; NULL: not set */
  int port;                   /* -1: refused */
} ports[] = {
    {NULL, "9000", 9000},
    {"", "9000", 9000},
    {"tcp://10.0.0.1:8080", "9000", 9000},
    {"tcp://10.0.0.1:8080", NULL, 1001},
    {"tcp://[fd00::1]:8080", NULL, 1001},
    {"udp://10.0.0.1:8080", NULL, 1001},
    {"9001", "9000", 9001},
    {"9001", "http", 9001},
    {NULL, "", 1001},
    {NULL, "http", -1},
    {NULL, "70000", -1},
    {NULL, "-2", -1},
    {NULL, "tcp://10.0.0.1:8080", -1},
    {"tcp:", NULL, -1},
    {"tcp//10.0.0.1", NULL, -1},
    {"http://10.0.0.1:80", NULL, -1},
};
static void set_or_unset(const char *name, const char *value) {
  if (value)
    setenv(name, value, 1);
  else
    unsetenv(name);
}
START_TEST(port_of_the_platform) {
  set_or_unset("CAMSERVE_PORT", ports[_i].own);
  set_or_unset("PORT", ports[_i].platform);
  cam_code code = load_text("port = 1001\n", 12);
  if (!code)
    code = config_take_platform_port(&settings, &error);
  unsetenv("PORT");
  ck_assert_int_eq(code, ports[_i].port < 0 ? CAM_E_PARAMETER : CAM_OK);
  if (code)
    ck_assert_msg(strstr(error.detail, "PORT)") != NULL, "%s", error.detail);
  else
    ck_assert_int_eq(settings.port, ports[_i].port);
}
END_TEST

static char said[2][600];
static int n_said;
static void note(const char *line) {
  ck_assert_int_lt(n_said, 2);
  snprintf(said[n_said++], sizeof said[0], "%s", line);
}

START_TEST(service_links_are_ignored) {
  static const char *const links[][2] = {
      {"CAMSERVE_SERVICE_HOST", "10.0.0.1"},
      {"CAMSERVE_SERVICE_PORT", "80"},
      {"CAMSERVE_SERVICE_PORT_HTTP", "80"},
      {"CAMSERVE_PORT", "tcp://10.0.0.1:80"},
      {"CAMSERVE_PORT_80_TCP", "tcp://10.0.0.1:80"},
      {"CAMSERVE_PORT_80_TCP_PROTO", "tcp"},
      {"CAMSERVE_PORT_80_TCP_PORT", "80"},
      {"CAMSERVE_PORT_80_TCP_ADDR", "10.0.0.1"},
      {"CAMSERVE_ADMIN_PORT", "tcp://10.0.0.2:8081"},
      {"CAMSERVE_ADMIN_SERVICE_HOST", "10.0.0.2"},
      {"CAMSERVE_V2_CANARY_PORT_53_UDP", "udp://10.0.0.3:53"},
  };
  enum { LINKS = sizeof links / sizeof *links };
  for (int i = 0; i < LINKS; i++)
    setenv(links[i][0], links[i][1], 1);
  ck_assert_msg(config_load(&settings, NULL, &error) == CAM_OK, "%s", error.detail);
  ck_assert_int_eq(settings.port, 8080);
  ck_assert_int_eq(settings.admin_port, -1);
  config_check_environment(note);
  ck_assert_int_eq(n_said, 1);
  ck_assert_str_eq(said[0], "11 service links of Kubernetes in the environment are ignored");
  for (int i = 0; i < LINKS; i++)
    unsetenv(links[i][0]);
}
END_TEST

START_TEST(unknown_variables_are_named) {
  static const char *const unknown[] = {"CAMSERVE_QUEU", "CAMSERVE_KEY", "CAMSERVE_PORT_HTTP",
                                        "CAMSERVE_", "CAMSERVE_PORT_X_TCP"};
  setenv("CAMSERVE_PORT", "80", 1);
  setenv("CAMSERVE_CONFIG", "x", 1);
  setenv("CAMSERV_QUEUE", "1", 1);
  config_check_environment(note);
  ck_assert_int_eq(n_said, 0);
  for (int i = 0; i < 5; i++)
    setenv(unknown[i], "correct-horse", 1);
  config_check_environment(note);
  ck_assert_int_eq(n_said, 1);
  for (int i = 0; i < 5; i++)
    ck_assert_msg(strstr(said[0], unknown[i]) != NULL, "%s", said[0]);
  ck_assert_ptr_null(strstr(said[0], "horse"));
  ck_assert_ptr_null(strstr(said[0], "CONFIG"));
}
END_TEST

START_TEST(unknown_variables_beyond_the_line) {
  for (int i = 0; i < 100; i++) {
    char name[32];
    snprintf(name, sizeof name, "CAMSERVE_UNKNOWN_%d", i);
    setenv(name, "", 1);
  }
  config_check_environment(note);
  ck_assert_int_eq(n_said, 1);
  ck_assert_str_eq(said[0] + strlen(said[0]) - 4, " ...");
  ck_assert_uint_lt(strlen(said[0]), 512);
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
  tcase_add_test(tcase, lists);
  tcase_add_loop_test(tcase, numbers_are_strict, 0, 10);
  tcase_add_test(tcase, words);
  tcase_add_loop_test(tcase, port_of_the_platform, 0, (int)(sizeof ports / sizeof *ports));
  tcase_add_test(tcase, service_links_are_ignored);
  tcase_add_test(tcase, unknown_variables_are_named);
  tcase_add_test(tcase, unknown_variables_beyond_the_line);
  tcase_add_loop_test(tcase, bad_files_by_line, 0, (int)(sizeof bad_files / sizeof *bad_files));
  tcase_add_test(tcase, long_lines_and_nul_bytes);
  tcase_add_test(tcase, no_such_file_or_a_directory);
  tcase_add_test(tcase, names);
  suite_add_tcase(suite, tcase);
  return suite;
}
