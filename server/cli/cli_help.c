/* cli_help.c - texts for people, generated from the tables of commands, settings and parameters, so
 * that none can be forgotten. Thread: main. */
#include "base/version.h"
#include "cli.h"
#include "help_text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 98, INDENT = 30, TEXT_MAX = HELP_TEXT_MAX };

/* "  LEFT    text, wrapped", with the text from column INDENT on. */
__attribute__((format(printf, 3, 4))) static void print_row(FILE *out, const char *left,
                                                            const char *format, ...) {
  char buffer[TEXT_MAX];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  int column = fprintf(out, "  %s", left);
  if (column >= INDENT)
    column = fprintf(out, "\n") - 1;
  column += fprintf(out, "%*s", INDENT - column, "");
  for (const char *word = buffer; *word;) {
    int n = (int)strcspn(word, " ");
    if (column > INDENT && column + 1 + n > COLUMNS)
      column = fprintf(out, "\n%*s", INDENT, "") - 1;
    else if (column > INDENT)
      column += fprintf(out, " ");
    column += fprintf(out, "%.*s", n, word);
    word += (size_t)n + strspn(word + n, " ");
  }
  fprintf(out, "\n");
}

static void print_settings(const cli_command *command, FILE *out) {
  char flag[SETTING_NAME_MAX], left[TEXT_MAX], fallback[TEXT_MAX], range[TEXT_MAX];
  for (int i = 0; i < SETTING_COUNT; i++) {
    const setting *row = &config_settings[i];
    if (!cli_uses(command, row))
      continue;
    snprintf(left, sizeof left, "%s %s", config_flag_name(row->name, flag), help_placeholder(row));
    if (*help_range(row, range))
      strcat(range, "; ");
    if (!*help_default(row, fallback))
      strcpy(fallback, "empty");
    print_row(out, left, "%s (%sdefault %s)", row->meaning, range, fallback);
  }
  print_row(out, "--config FILE",
            "read settings from this file (camserve help --ini prints one); also CAMSERVE_CONFIG");
}

static void print_option(const cli_option *option, FILE *out) {
  char left[TEXT_MAX];
  int n = 0;
  if (option->letter)
    n = snprintf(left, sizeof left, "%s, ", option->letter);
  n += snprintf(left + n, sizeof left - (size_t)n, "%s", option->name);
  if (option->argument)
    snprintf(left + n, sizeof left - (size_t)n, " %s", option->argument);
  print_row(out, left, "%s", option->meaning);
}

static void print_synonyms(const cli_command *command, FILE *out) {
  fprintf(out, "\nFlags that KServe starts a model or an explainer with:\n");
  for (int i = 0; i < CLI_MAX_SYNONYMS && command->synonyms[i].name; i++) {
    const cli_synonym *synonym = &command->synonyms[i];
    char left[TEXT_MAX];
    snprintf(left, sizeof left, "%s %s", synonym->name, synonym->argument);
    print_row(out, left, "%s", synonym->meaning);
  }
}

static void print_params(FILE *out) {
  char flag[SETTING_NAME_MAX], left[TEXT_MAX], allowed[PARAM_TEXT_MAX];
  for (int i = 0; i < PARAM_COUNT; i++) {
    const param_info *info = params_info(i);
    if (info->of_service)
      continue;
    snprintf(left, sizeof left, "%s VALUE", config_flag_name(info->name, flag));
    print_row(out, left, "%s (%s; default %s)", info->meaning, params_allowed(i, " or ", allowed),
              info->fallback);
  }
}

/* "explain PHOTO...", with more between the two. */
static const char *call_of(const cli_command *command, const char *more, char out[TEXT_MAX]) {
  int n = snprintf(out, TEXT_MAX, "%s%s", command->name, more);
  if (*command->operands)
    snprintf(out + n, (size_t)(TEXT_MAX - n), " %s", command->operands);
  return out;
}

void help_command(const cli_command *command, FILE *out) {
  char call[TEXT_MAX];
  fprintf(out, "camserve %s - %s\n\nUsage: camserve %s\n", command->name, command->summary,
          call_of(command, " [FLAG]...", call));
  if (command->more)
    fprintf(out, "\n%s", command->more);
  if (command->options[0].name)
    fprintf(out, "\nFlags:\n");
  for (int i = 0; i < CLI_MAX_OPTIONS && command->options[i].name; i++)
    print_option(&command->options[i], out);
  if (command->params) {
    fprintf(out, "\nParameters of POST /cam:\n");
    print_params(out);
  }
  if (*command->settings) {
    fprintf(out, "\nSettings (as a flag, in the environment as CAMSERVE_NAME, or in a file; a flag "
                 "wins):\n");
    print_settings(command, out);
  }
  if (command->synonyms[0].name)
    print_synonyms(command, out);
  fprintf(out, "\nExamples:\n%s", command->examples);
}

void help_first(FILE *out) {
  fprintf(out,
          "camserve %s - what a vision network saw in a photo, and where\n\n"
          "  camserve serve             the service and its page, on http://127.0.0.1:8080\n"
          "  camserve explain cat.jpg   labels, and in cat.cam.png where they are\n"
          "  camserve --help            all commands and settings\n",
          cam_version);
}

void help_overview(const cli_command *commands, FILE *out) {
  fprintf(out,
          "camserve %s - what a vision network saw in a photo, and where\n\nUsage: camserve "
          "[COMMAND] [FLAG]... [OPERAND]...\n\nCommands:\n",
          cam_version);
  for (const cli_command *command = commands; command->name; command++) {
    char call[TEXT_MAX];
    print_row(out, call_of(command, "", call), "%s", command->summary);
  }
  fprintf(out, "\nSettings (later wins: default, --config file, CAMSERVE_PORT=80 in the "
               "environment, --port 80):\n");
  print_settings(commands, out);
  fprintf(out, "\nOther flags:\n");
  print_row(out, "-h, --help", "this text; after a command, that command's");
  print_row(out, "--version", "version and commit");
  fprintf(out, "\nExamples:\n");
  for (const cli_command *command = commands; command->name; command++)
    fprintf(out, "%.*s\n", (int)strcspn(command->examples, "\n"), command->examples);
  fprintf(
      out,
      "\nExit codes: 0 done, 1 failed, 2 wrong usage. Errors are one line on standard error.\n");
}

/* Cells of a Markdown table: words in backquotes, and words. */
static void print_code(FILE *out, const char *text) {
  if (*text)
    fprintf(out, " `%s` |", text);
  else
    fprintf(out, "  |");
}
static void print_cell(FILE *out, const char *text) { fprintf(out, " %s |", text); }

void help_parameters(FILE *out) {
  fprintf(out, "| name | default | allowed | meaning |\n| --- | --- | --- | --- |\n");
  for (int i = 0; i < PARAM_COUNT; i++) {
    const param_info *info = params_info(i);
    char allowed[PARAM_TEXT_MAX];
    fputc('|', out);
    print_code(out, info->name);
    print_cell(out, info->fallback);
    print_cell(out, params_allowed(i, ", ", allowed));
    print_cell(out, info->meaning);
    fputc('\n', out);
  }
}

void help_settings(FILE *out) {
  fprintf(out,
          "# Settings\n\n"
          "A flag of `camserve serve`, an environment variable, or a key of a `--config` file, "
          "where words are joined by `_`\n"
          "([config/camserve.ini](../config/camserve.ini)); the later wins: default, file, "
          "environment, flag. Other commands take those that have to do\n"
          "with them: `camserve explain --help`. This page is printed by "
          "`camserve help --markdown`.\n\n"
          "| flag | environment | default | allowed | meaning |\n"
          "| --- | --- | --- | --- | --- |\n");
  for (int i = 0; i < SETTING_COUNT; i++) {
    const setting *row = &config_settings[i];
    char name[SETTING_NAME_MAX], text[TEXT_MAX];
    fputc('|', out);
    print_code(out, config_flag_name(row->name, name));
    print_code(out, config_environment_name(row->name, name));
    print_code(out, help_default(row, text));
    print_cell(out, help_range(row, text));
    print_cell(out, row->meaning);
    fputc('\n', out);
  }
}

void help_ini(FILE *out) {
  fprintf(out, "# camserve.ini - every setting with its default. Take the semicolon away from a "
               "line to change it.\n"
               "# Used by `camserve --config camserve.ini` or CAMSERVE_CONFIG=camserve.ini. The "
               "environment and flags win over this file.\n"
               "# Printed by `camserve help --ini`.\n\n[camserve]\n");
  for (int i = 0; i < SETTING_COUNT; i++) {
    const setting *row = &config_settings[i];
    char name[SETTING_NAME_MAX], flag[SETTING_NAME_MAX], text[TEXT_MAX];
    fprintf(out, "\n# %s", row->meaning);
    if (*help_range(row, text))
      fprintf(out, " (%s)", text);
    fprintf(out, "\n# %s, %s\n;%s =", config_environment_name(row->name, name),
            config_flag_name(row->name, flag), row->name);
    if (*help_default(row, text))
      fprintf(out, " %s", text);
    fprintf(out, "\n");
  }
}

/* Of the flags of `camserve help` those that print one text, in the order of their rows. */
static bool print_generated(const cli *arguments) {
  static void (*const generated[])(FILE *) = {help_settings, help_parameters, help_ini,
                                              help_man_settings};
  static void (*const of_commands[])(const cli_command *, FILE *) = {
      help_man_program, help_complete_bash, help_complete_zsh, help_complete_fish};
  enum {
    FIRST = sizeof generated / sizeof *generated,
    OTHERS = sizeof of_commands / sizeof *of_commands
  };
  bool printed = false;
  for (int i = 0; i < FIRST + OTHERS; i++) {
    if (!arguments->options[i])
      continue;
    if (i < FIRST)
      generated[i](stdout);
    else
      of_commands[i - FIRST](arguments->commands, stdout);
    printed = true;
  }
  return printed;
}

int cli_help(const cli *arguments) {
  if (print_generated(arguments))
    return EXIT_DONE;
  if (!arguments->n_operands) {
    help_overview(arguments->commands, stdout);
    return EXIT_DONE;
  }
  const cli_command *command = cli_find(arguments->commands, arguments->operands[0]);
  if (command) {
    help_command(command, stdout);
    return EXIT_DONE;
  }
  cam_error error;
  cli_no_such_command(arguments->commands, arguments->operands[0], "help", &error);
  return cli_fail(NULL, &error);
}
