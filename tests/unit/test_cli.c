/* test_cli.c - arguments read against a command's row: every form of a flag, every wrong usage;
 * generated texts equal what stands in files. */
#include "cli/cli.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_command commands[] = {
    {.name = "serve",
     .operands = "",
     .settings = "*",
     .lists = true,
     .summary = "serves",
     .examples = "  camserve\n"},
    {.name = "explain",
     .operands = "PHOTO...",
     .least = 1,
     .most = 3,
     .settings = " model threads ",
     .params = true,
     .summary = "explains",
     .examples = "  camserve explain x\n",
     .options = {{"--json", NULL, NULL, "as JSON"},
                 {"--output", "-o", "FILE", "where to"},
                 {"--runs", NULL, "N", "how often"}}},
    {.name = "help",
     .operands = "",
     .settings = "",
     .summary = "helps",
     .examples = "  camserve help\n"},
    {0},
};
static cli arguments;
static cam_error error;

static void clean(void) {
  char name[SETTING_NAME_MAX];
  unsetenv("CAMSERVE_CONFIG");
  unsetenv("PORT");
  for (int i = 0; i < SETTING_COUNT; i++)
    unsetenv(config_environment_name(config_settings[i].name, name));
}
static void release(void) { cli_free(&arguments); }

/* Parses "camserve LINE", split at blanks. */
static cam_code parse(const char *line) {
  static char text[400], *argv[40];
  int argc = 0;
  snprintf(text, sizeof text, "camserve %s", line);
  for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
    argv[argc++] = word;
  cli_free(&arguments);
  return cli_parse(&arguments, commands, argc, argv, &error);
}

START_TEST(serve_is_the_default) {
  ck_assert_int_eq(parse(""), CAM_OK);
  ck_assert_str_eq(arguments.command->name, "serve");
  ck_assert_int_eq(arguments.config.port, 8080);
  ck_assert_int_eq(parse("--port 81 --max-body-bytes=2048"), CAM_OK);
  ck_assert_str_eq(arguments.command->name, "serve");
  ck_assert_int_eq(arguments.config.port, 81);
  ck_assert_int_eq(arguments.config.max_body_bytes, 2048);
}
END_TEST

START_TEST(every_form) {
  setenv("CAMSERVE_THREADS", "2", 1);
  setenv("CAMSERVE_MODEL", "from-environment", 1);
  ck_assert_msg(
      parse("explain a.jpg --json --top-k=5 - --threads 3 -o x.png --alpha -1 -- --json") == CAM_OK,
      "%s", error.detail);
  ck_assert_int_eq(arguments.n_operands, 3);
  ck_assert_str_eq(arguments.operands[0], "a.jpg");
  ck_assert_str_eq(arguments.operands[1], "-");
  ck_assert_str_eq(arguments.operands[2], "--json");
  ck_assert_str_eq(arguments.options[0], "");
  ck_assert_str_eq(arguments.options[1], "x.png");
  ck_assert_ptr_null(arguments.options[2]);
  ck_assert_int_eq(arguments.config.threads, 3);
  ck_assert_str_eq(arguments.config.model, "from-environment");
  ck_assert_int_eq(arguments.n_params, 2);
  ck_assert_str_eq(params_info(arguments.params[0].row)->name, "top_k");
  ck_assert_str_eq(arguments.params[0].value, "5");
  ck_assert_str_eq(params_info(arguments.params[1].row)->name, "alpha");
  ck_assert_str_eq(arguments.params[1].value, "-1");
}
END_TEST

START_TEST(a_list_of_classes_may_be_given_flag_by_flag) {
  ck_assert_msg(!parse("explain x --classes 1 --top-k 2 --classes=3 --classes 4"), "%s",
                error.detail);
  static const char *const values[] = {"1", "2", "3", "4"};
  ck_assert_int_eq(arguments.n_params, 4);
  for (int i = 0; i < 4; i++)
    ck_assert_str_eq(arguments.params[i].value, values[i]);
  char line[40 + 13 * CLI_MAX_PARAMS] = "explain x";
  for (int i = 0; i <= CLI_MAX_PARAMS; i++)
    strcat(line, " --classes=1");
  ck_assert_int_eq(parse(line), CAM_E_PARAMETER);
}
END_TEST

START_TEST(lists) {
  setenv("CAMSERVE_MODEL", "of,the,environment", 1);
  ck_assert_int_eq(parse("--model a,b --port 81 --model=c --model d"), CAM_OK);
  ck_assert_str_eq(arguments.config.model, "a,b,c,d");
  ck_assert_int_eq(parse("--port 81 --port 82"), CAM_E_PARAMETER);
  ck_assert_int_eq(parse("explain x --model a,b"), CAM_OK);
  ck_assert_str_eq(arguments.config.model, "a,b");
}
END_TEST

/* Only a command that has a port looks at PORT, which may be anything to others. */
START_TEST(port_of_the_platform) {
  setenv("PORT", "9100", 1);
  ck_assert_int_eq(parse(""), CAM_OK);
  ck_assert_int_eq(arguments.config.port, 9100);
  ck_assert_int_eq(parse("--port 81"), CAM_OK);
  ck_assert_int_eq(arguments.config.port, 81);
  setenv("PORT", "COM3", 1);
  ck_assert_int_eq(parse("explain x"), CAM_OK);
  ck_assert_int_eq(parse(""), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail,
                   "port: \"COM3\" (PORT); allowed are whole numbers from 0 to 65535");
}
END_TEST

static const struct {
  const char *line, *said;
} wrong[] = {
    {"fly", "\"fly\": no such command; see `camserve --help`"},
    {"explain", "PHOTO... is missing; usage: camserve explain [FLAG]... PHOTO..."},
    {"explain a b c d", "\"d\": one operand too many; usage: camserve explain [FLAG]... PHOTO..."},
    {"explain a --port 80", "--port: no such flag; see `camserve explain --help`"},
    {"explain a --top_k 3",
     "--top_k: no such flag; did you mean --top-k? see `camserve explain --help`"},
    {"explian a", "\"explian\": no such command; did you mean explain? see `camserve --help`"},
    {"/dev/null", "\"/dev/null\": no such command; did you mean camserve explain /dev/null?"},
    {"explain a --json --json", "--json: given twice; see `camserve explain --help`"},
    {"explain a --top-k 1 --top-k=1", "--top-k: given twice; see `camserve explain --help`"},
    {"explain a -o x --output=y", "--output: given twice; see `camserve explain --help`"},
    {"explain a --model x --model y", "--model: given twice; see `camserve explain --help`"},
    {"explain a --json=1", "--json: takes no value; see `camserve explain --help`"},
    {"explain a --top-k", "--top-k: a value is missing; see `camserve explain --help`"},
    {"explain a -o --json", "-o: a value is missing; see `camserve explain --help`"},
    {"explain a --model -- b", "--model: a value is missing; see `camserve explain --help`"},
    {"explain a -x", "-x: no such flag; see `camserve explain --help`"},
    {"explain a --threads=65", "--threads: \"65\"; allowed are whole numbers from 0 to 64"},
    {"explain a --threads=", "--threads: \"\"; allowed are whole numbers from 0 to 64"},
    {"--top-k 3", "--top-k: no such flag; see `camserve serve --help`"},
    {"help --config x", "--config: no such flag; see `camserve help --help`"},
};
START_TEST(wrong_usage) {
  ck_assert_int_eq(parse(wrong[_i].line), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, wrong[_i].said);
}
END_TEST

START_TEST(values_that_look_like_flags) {
  ck_assert_int_eq(parse("explain a --output=--json --runs -1"), CAM_OK);
  ck_assert_str_eq(arguments.options[1], "--json");
  ck_assert_str_eq(arguments.options[2], "-1");
  ck_assert_ptr_null(arguments.options[0]);
}
END_TEST

START_TEST(help_wins) {
  ck_assert_int_eq(parse("explain --nonsense --help"), CAM_OK);
  ck_assert(arguments.help);
  ck_assert_str_eq(arguments.command->name, "explain");
  ck_assert_int_eq(parse("--port 99999 -h"), CAM_OK);
  ck_assert_str_eq(arguments.command->name, "help");
  ck_assert_int_eq(arguments.n_operands, 0);
  ck_assert_int_eq(parse("explain -- --help"), CAM_OK);
  ck_assert(!arguments.help);
}
END_TEST

START_TEST(numbers) {
  int number = 0;
  ck_assert_int_eq(parse("explain a --runs 12"), CAM_OK);
  ck_assert_int_eq(cli_number(&arguments, 2, 1, 12, 7, &number, &error), CAM_OK);
  ck_assert_int_eq(number, 12);
  ck_assert_int_eq(cli_number(&arguments, 2, 1, 11, 7, &number, &error), CAM_E_PARAMETER);
  ck_assert_str_eq(error.detail, "--runs: \"12\"; allowed are whole numbers from 1 to 11");
  ck_assert_int_eq(parse("explain a --runs 1e1"), CAM_OK);
  ck_assert_int_eq(cli_number(&arguments, 2, 1, 12, 7, &number, &error), CAM_E_PARAMETER);
  ck_assert_int_eq(parse("explain a"), CAM_OK);
  ck_assert_int_eq(cli_number(&arguments, 2, 1, 12, 7, &number, &error), CAM_OK);
  ck_assert_int_eq(number, 7);
}
END_TEST

START_TEST(reads_up_to_its_limit) {
  char path[] = "/tmp/test_cli_XXXXXX";
  static char bytes[200001];
  static const size_t sizes[] = {0, 1, 1024, 65535, 65536, 65537, 131072, 200000, 200001};
  int file = mkstemp(path);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    ck_assert_int_eq(pwrite(file, bytes, sizes[i], 0), (ssize_t)sizes[i]);
    cam_bytes got;
    cam_code code = cli_read(path, 200000, &got, &error);
    ck_assert_int_eq(code, sizes[i] <= 200000 ? CAM_OK : CAM_E_TOO_LARGE);
    ck_assert_uint_eq(got.size, code ? 0 : sizes[i]);
    free(got.data);
    if (!sizes[i])
      continue;
    ck_assert_int_eq(cli_read(path, sizes[i] - 1, &got, &error), CAM_E_TOO_LARGE);
    ck_assert_ptr_null(got.data);
  }
  close(file);
  unlink(path);
  cam_bytes none;
  ck_assert_int_eq(cli_read("/nonexistent.jpg", 10, &none, &error), CAM_E_NOT_FOUND);
  ck_assert_str_eq(error.detail, "cannot be read: No such file or directory");
  ck_assert_int_eq(cli_read("/tmp", 10, &none, &error), CAM_E_IO);
  ck_assert_str_eq(error.detail, "cannot be read: Is a directory");
}
END_TEST

START_TEST(exit_codes) {
  cam_fail(&error, CAM_E_PARAMETER, "x");
  ck_assert_int_eq(cli_fail(NULL, &error), 2);
  cam_fail(&error, CAM_E_IO, "x");
  ck_assert_int_eq(cli_fail("test of", &error), 1);
}
END_TEST

/* What print writes, for free(). */
static char *printed(void (*print)(FILE *)) {
  char *text = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  print(out);
  fclose(out);
  return text;
}
static void overview(FILE *out) { help_overview(commands, out); }
static void of_explain(FILE *out) { help_command(&commands[1], out); }

/* The file is what print writes. */
static void is_file(void (*print)(FILE *), const char *path, const char *command) {
  char *text = printed(print);
  cam_bytes file;
  ck_assert_int_eq(cli_read(path, 100000, &file, &error), CAM_OK);
  ck_assert_msg(file.size == strlen(text) && !memcmp(file.data, text, file.size),
                "run `build/camserve %s > %s`", command, path);
  free(file.data);
  free(text);
}

START_TEST(example_configuration_is_generated) {
  is_file(help_ini, "config/camserve.ini", "help --ini");
  ck_assert_msg(parse("--config config/camserve.ini") == CAM_OK, "%s", error.detail);
}
END_TEST

START_TEST(page_of_settings_is_generated) {
  is_file(help_settings, "docs/settings.md", "help --markdown");
}
END_TEST

START_TEST(table_of_the_readme_is_generated) {
  char *text = printed(help_parameters);
  cam_bytes file;
  ck_assert_int_eq(cli_read("README.md", 100000, &file, &error), CAM_OK);
  ck_assert_msg(memmem(file.data, file.size, text, strlen(text)) != NULL,
                "README.md's table is not that of `build/camserve help --parameters`");
  free(file.data);
  free(text);
}
END_TEST

/* The example with every semicolon taken away is the defaults again. */
START_TEST(example_configuration_can_be_used) {
  char *text = printed(help_ini), path[] = "/tmp/test_cli_XXXXXX", line[200];
  FILE *file = fdopen(mkstemp(path), "w");
  for (const char *from = text; *from; from += strcspn(from, "\n") + 1)
    fprintf(file, "%.*s\n", (int)strcspn(from + (*from == ';'), "\n"), from + (*from == ';'));
  fclose(file);
  free(text);
  snprintf(line, sizeof line, "--config %s", path);
  ck_assert_msg(parse(line) == CAM_OK, "%s", error.detail);
  ck_assert_str_eq(arguments.config.host, "127.0.0.1");
  ck_assert_int_eq(arguments.config.drain_ms, 10000);
  unlink(path);
}
END_TEST

START_TEST(help_fits_and_is_whole) {
  char *all = printed(overview), *one = printed(of_explain);
  for (const char *texts[] = {all, one}, **text = texts; text < texts + 2; text++)
    for (const char *line = *text; *line; line += strcspn(line, "\n") + 1)
      ck_assert_msg(strcspn(line, "\n") <= 100, "%s", line);
  for (int i = 0; i < SETTING_COUNT; i++) {
    char flag[SETTING_NAME_MAX];
    ck_assert_ptr_nonnull(strstr(all, config_flag_name(config_settings[i].name, flag)));
  }
  for (int i = 0; i < PARAM_COUNT; i++) {
    char flag[SETTING_NAME_MAX];
    ck_assert_ptr_nonnull(strstr(one, config_flag_name(params_info(i)->name, flag)));
  }
  ck_assert_ptr_nonnull(strstr(one, "-o, --output FILE"));
  ck_assert_ptr_null(strstr(one, "--port"));
  free(all);
  free(one);
}
END_TEST

Suite *cli_suite(void);
Suite *cli_suite(void) {
  Suite *suite = suite_create("cli");
  TCase *tcase = tcase_create("cli");
  tcase_add_checked_fixture(tcase, clean, release);
  tcase_add_test(tcase, serve_is_the_default);
  tcase_add_test(tcase, every_form);
  tcase_add_test(tcase, a_list_of_classes_may_be_given_flag_by_flag);
  tcase_add_test(tcase, lists);
  tcase_add_test(tcase, port_of_the_platform);
  tcase_add_loop_test(tcase, wrong_usage, 0, (int)(sizeof wrong / sizeof *wrong));
  tcase_add_test(tcase, values_that_look_like_flags);
  tcase_add_test(tcase, help_wins);
  tcase_add_test(tcase, numbers);
  tcase_add_test(tcase, reads_up_to_its_limit);
  tcase_add_test(tcase, exit_codes);
  tcase_add_test(tcase, example_configuration_is_generated);
  tcase_add_test(tcase, page_of_settings_is_generated);
  tcase_add_test(tcase, table_of_the_readme_is_generated);
  tcase_add_test(tcase, example_configuration_can_be_used);
  tcase_add_test(tcase, help_fits_and_is_whole);
  suite_add_tcase(suite, tcase);
  return suite;
}
