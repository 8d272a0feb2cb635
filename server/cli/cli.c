/* cli.c - argv -> a command with its settings, parameters, options and operands; and what several
 * commands need. Thread: main. */
#include "cli.h"
#include "base/whole.h"
#include "cam_minmax.h"
#include "suggest.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- parsing ---- */

const cli_command *cli_find(const cli_command *commands, const char *name) {
  for (; commands->name; commands++)
    if (!strcmp(commands->name, name))
      return commands;
  return NULL;
}

bool cli_uses(const cli_command *command, const setting *row) {
  if (!strcmp(command->settings, "*"))
    return true;
  char word[SETTING_NAME_MAX + 2];
  snprintf(word, sizeof word, " %s ", row->name);
  return strstr(command->settings, word) != NULL;
}

/* Where the values of flags go while argv is read; settings wait for the file and the environment.
 */
typedef struct given_flags {
  const char *config_file;
  const char *settings[SETTING_COUNT]; /* of a list the first value */
  const char *passed_over[CLI_MAX_SYNONYMS];
  int n_more;
  struct {
    int row;
    const char *value;
  } * more; /* [n_more] the other values of lists, in order */
} given_flags;

/* Row of the command's own option of this name, or -1. */
static int find_option(const cli_command *command, const char *name) {
  for (int i = 0; i < CLI_MAX_OPTIONS && command->options[i].name; i++) {
    const cli_option *option = &command->options[i];
    if (!strcmp(option->name, name) || (option->letter && !strcmp(option->letter, name)))
      return i;
  }
  return -1;
}

static int find_setting(const cli_command *command, const char *name) {
  char flag[SETTING_NAME_MAX];
  for (int i = 0; i < SETTING_COUNT; i++)
    if (cli_uses(command, &config_settings[i]) &&
        !strcmp(config_flag_name(config_settings[i].name, flag), name))
      return i;
  return -1;
}

/* The place for a flag that others spell so; NULL: there is none. */
static const char **find_synonym(const cli_command *command, given_flags *flags, const char *name) {
  for (int i = 0; i < CLI_MAX_SYNONYMS && command->synonyms[i].name; i++) {
    const cli_synonym *synonym = &command->synonyms[i];
    if (strcmp(synonym->name, name))
      continue;
    if (!synonym->setting)
      return &flags->passed_over[i];
    return &flags->settings[config_find(synonym->setting) - config_settings];
  }
  return NULL;
}

static int find_param(const cli_command *command, const char *name) {
  char flag[SETTING_NAME_MAX];
  for (int i = 0; command->params && i < PARAM_COUNT; i++)
    if (!params_info(i)->of_service && !strcmp(config_flag_name(params_info(i)->name, flag), name))
      return i;
  return -1;
}

/* A new place, or the one that has a value already: of a parameter that is given once, or the last
 * where there are no more. */
static const char **param_place(cli *out, int row) {
  for (int i = 0; i < out->n_params; i++)
    if (out->params[i].row == row && !params_info(row)->repeats)
      return &out->params[i].value;
  if (out->n_params < CLI_MAX_PARAMS)
    out->params[out->n_params++].row = row;
  return &out->params[out->n_params - 1].value;
}

/* The place for the value of flag text[0..n), or NULL if this command has no such flag. *is_switch:
 * it takes no value. */
static const char **find_flag(cli *out, given_flags *flags, const char *text, size_t n,
                              bool *is_switch) {
  const cli_command *command = out->command;
  char name[SETTING_NAME_MAX];
  *is_switch = false;
  if (n >= sizeof name)
    return NULL;
  memcpy(name, text, n);
  name[n] = '\0';
  int row = find_option(command, name);
  if (row >= 0) {
    *is_switch = !command->options[row].argument;
    return &out->options[row];
  }
  if (*command->settings && !strcmp(name, "--config"))
    return &flags->config_file;
  row = find_setting(command, name);
  if (row >= 0)
    return &flags->settings[row];
  row = find_param(command, name);
  if (row >= 0)
    return param_place(out, row);
  return find_synonym(command, flags, name);
}

/* All flags of this command. */
static void try_flags(const cli_command *command, suggestion *meant) {
  char flag[SETTING_NAME_MAX];
  suggest_try(meant, "--help");
  if (*command->settings)
    suggest_try(meant, "--config");
  for (int i = 0; i < CLI_MAX_OPTIONS && command->options[i].name; i++)
    suggest_try(meant, command->options[i].name);
  for (int i = 0; i < SETTING_COUNT; i++)
    if (cli_uses(command, &config_settings[i]))
      suggest_try(meant, config_flag_name(config_settings[i].name, flag));
  for (int i = 0; command->params && i < PARAM_COUNT; i++)
    suggest_try(meant, config_flag_name(params_info(i)->name, flag));
}

static cam_code no_such_flag(const cli *out, const char *flag, size_t n, cam_error *error) {
  suggestion meant;
  char words[SUGGEST_MAX + 20];
  suggest_begin(&meant, flag, n);
  try_flags(out->command, &meant);
  return cam_fail(error, CAM_E_PARAMETER, "%.*s: no such flag; %ssee `camserve %s --help`",
                  (int)min_size(n, 40), flag, suggest_words(&meant, words), out->command->name);
}

/* A path that is there; but a folder only where it is said as a path: "config" may be a word. */
static bool looks_like_photos(const char *name) {
  struct stat status;
  return !stat(name, &status) && (!S_ISDIR(status.st_mode) || strpbrk(name, "/."));
}

cam_code cli_no_such_command(const cli_command *commands, const char *name, const char *help,
                             cam_error *error) {
  suggestion meant;
  char words[SUGGEST_MAX + 20];
  suggest_begin(&meant, name, strlen(name));
  for (const cli_command *command = commands; command->name; command++)
    suggest_try(&meant, command->name);
  suggest_words(&meant, words);
  if (!*words && looks_like_photos(name))
    return cam_fail(error, CAM_E_PARAMETER,
                    "\"%.40s\": no such command; did you mean camserve explain %.40s?", name, name);
  return cam_fail(error, CAM_E_PARAMETER, "\"%.40s\": no such command; %ssee `camserve %s`", name,
                  words, help);
}

static cam_code wrong_flag(const cli *out, const char *flag, size_t n, const char *what,
                           cam_error *error) {
  return cam_fail(error, CAM_E_PARAMETER, "%.*s: %s; see `camserve %s --help`",
                  (int)min_size(n, 40), flag, what, out->command->name);
}

/* The row of the list that place is the first value of; -1: it is none, or takes one alone. */
static int find_list(const cli_command *command, const given_flags *flags, const char **place) {
  for (int i = 0; command->lists && i < SETTING_COUNT; i++)
    if (place == &flags->settings[i] && config_settings[i].kind == SETTING_LIST)
      return i;
  return -1;
}

/* Reads argv[*i], a flag, and its value; *i moves on to the last argument used. What begins with
 * "--" is a value only behind "=": else it is the next flag, and this one was left without. */
static cam_code read_flag(cli *out, given_flags *flags, char **argv, int argc, int *i,
                          cam_error *error) {
  const char *flag = argv[*i], *equals = strchr(flag, '=');
  size_t n = strcspn(flag, "=");
  bool is_switch;
  const char **place = find_flag(out, flags, flag, n, &is_switch);
  if (!place)
    return no_such_flag(out, flag, n, error);
  if (*place) {
    flags->more[flags->n_more].row = find_list(out->command, flags, place);
    if (flags->more[flags->n_more].row < 0)
      return wrong_flag(out, flag, n, "given twice", error);
    place = &flags->more[flags->n_more++].value;
  }
  if (is_switch && equals)
    return wrong_flag(out, flag, n, "takes no value", error);
  if (!is_switch && !equals && (*i + 1 >= argc || !strncmp(argv[*i + 1], "--", 2)))
    return wrong_flag(out, flag, n, "a value is missing", error);
  if (is_switch)
    *place = "";
  else if (equals)
    *place = equals + 1;
  else
    *place = argv[++*i];
  return CAM_OK;
}

static cam_code read_arguments(cli *out, given_flags *flags, int argc, char **argv,
                               cam_error *error) {
  bool only_operands = false;
  char **operands = argv; /* written over what has been read already */
  out->operands = argv;
  for (int i = 0; i < argc; i++) {
    cam_code code = CAM_OK;
    if (only_operands || argv[i][0] != '-' || !argv[i][1])
      operands[out->n_operands++] = argv[i];
    else if (!strcmp(argv[i], "--"))
      only_operands = true;
    else
      code = read_flag(out, flags, argv, argc, &i, error);
    if (code)
      return code;
  }
  const cli_command *command = out->command;
  if (out->n_operands > command->most)
    return cam_fail(error, CAM_E_PARAMETER,
                    "\"%.40s\": one operand too many; usage: camserve %s [FLAG]... %s",
                    out->operands[command->most], command->name, command->operands);
  if (out->n_operands < command->least)
    return cam_fail(error, CAM_E_PARAMETER, "%s is missing; usage: camserve %s [FLAG]... %s",
                    command->operands, command->name, command->operands);
  return CAM_OK;
}

/* --help anywhere before "--" wins over whatever else is there. */
static bool asks_for_help(int argc, char **argv) {
  for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
      return true;
  return false;
}

/* The configuration: file, environment, then what was given as flags. */
static cam_code settle(cli *out, const given_flags *flags, cam_error *error) {
  cam_code code = CAM_OK;
  if (*out->command->settings)
    code = config_load(&out->config, flags->config_file, error);
  if (!code && cli_uses(out->command, config_find("port")))
    code = config_take_platform_port(&out->config, error);
  for (int i = 0; i < SETTING_COUNT && !code; i++) {
    char name[SETTING_NAME_MAX];
    if (!flags->settings[i])
      continue;
    code = config_set(&out->config, &config_settings[i], flags->settings[i],
                      config_flag_name(config_settings[i].name, name), error);
    if (code)
      cli_name_flag(error);
  }
  if (!code && !flags->settings[config_find("model") - config_settings])
    code = cli_find_model(out, error);
  for (int i = 0; i < flags->n_more && !code; i++)
    code = config_add(&out->config, &config_settings[flags->more[i].row], flags->more[i].value,
                      error);
  return code;
}

cam_code cli_parse(cli *out, const cli_command *commands, int argc, char **argv, cam_error *error) {
  *out = (cli){.commands = commands, .command = commands};
  argc--;
  argv++;
  if (argc > 0 && argv[0][0] != '-') {
    out->command = cli_find(commands, argv[0]);
    if (!out->command)
      return cli_no_such_command(commands, argv[0], "--help", error);
    argc--;
    argv++;
  } else if (asks_for_help(argc, argv)) {
    out->command = cli_find(commands, "help");
    return CAM_OK;
  }
  out->help = asks_for_help(argc, argv);
  if (out->help)
    return CAM_OK;
  given_flags flags = {.more = calloc((size_t)argc + 1, sizeof *flags.more)};
  if (!flags.more)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d arguments", argc);
  cam_code code = read_arguments(out, &flags, argc, argv, error);
  if (!code)
    code = settle(out, &flags, error);
  free(flags.more);
  return code;
}

void cli_free(cli *arguments) { config_free(&arguments->config); }

/* ---- what several commands need ---- */

const char *cli_plural(int n) { return n == 1 ? "" : "s"; }

int cli_fail(const char *subject, const cam_error *error) {
  const char *what = error->detail;
  if (!*what)
    what = cam_code_text(error->code);
  if (subject)
    fprintf(stderr, "camserve: %s: %s\n", subject, what);
  else
    fprintf(stderr, "camserve: %s\n", what);
  return error->code == CAM_E_PARAMETER ? EXIT_USAGE : EXIT_FAILED;
}

void cli_name_flag(cam_error *error) {
  char name[SETTING_NAME_MAX], flag[SETTING_NAME_MAX], source[SETTING_NAME_MAX + 4];
  const cam_error before = *error;
  const size_t n = strcspn(before.detail, ":");
  if (n >= sizeof name)
    return;
  memcpy(name, before.detail, n);
  name[n] = '\0';
  if (params_find(name) < 0 && !config_find(name))
    return;
  snprintf(source, sizeof source, " (%s)", config_flag_name(name, flag));
  const char *rest = before.detail + n, *cut = strstr(rest, source);
  if (cut)
    cam_fail(error, before.code, "%s%.*s%s", flag, (int)(cut - rest), rest, cut + strlen(source));
  else
    cam_fail(error, before.code, "%s%s", flag, rest);
}

cam_code cli_number(const cli *arguments, int row, int least, int most, int fallback, int *out,
                    cam_error *error) {
  const char *value = arguments->options[row];
  *out = fallback;
  if (!value)
    return CAM_OK;
  int64_t number;
  if (!whole_read(value, least, most, &number))
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s: \"%.24s\"; allowed are whole numbers from %d to %d",
                    arguments->command->options[row].name, value, least, most);
  *out = (int)number;
  return CAM_OK;
}

/* Doubles; in the end one byte more than allowed, to see that it is there. */
static size_t larger_room(size_t room, size_t limit) {
  if (room >= limit / 2)
    return limit + 1;
  return max_size(2 * room, 65536);
}

/* A name that leads to nothing is the caller's fault, all else the system's. */
static cam_code not_opened(int why, cam_error *error) {
  cam_code code = CAM_E_IO;
  if (why == ENOENT || why == ENOTDIR || why == ELOOP)
    code = CAM_E_NOT_FOUND;
  return cam_fail(error, code, "cannot be read: %s", strerror(why));
}

cam_code cli_read(const char *path, size_t limit, cam_bytes *out, cam_error *error) {
  *out = (cam_bytes){0};
  FILE *file = stdin;
  if (strcmp(path, "-"))
    file = fopen(path, "rbe");
  if (!file)
    return not_opened(errno, error);
  cam_code code = CAM_OK;
  size_t room = 0;
  do {
    room = larger_room(room, limit);
    uint8_t *data = realloc(out->data, room);
    if (!data) {
      code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu bytes", room);
      break;
    }
    out->data = data;
    out->size += fread(data + out->size, 1, room - out->size, file);
  } while (out->size == room && room <= limit);
  if (!code && ferror(file))
    code = cam_fail(error, CAM_E_IO, "cannot be read: %s", strerror(errno));
  if (!code && out->size > limit)
    code = cam_fail(error, CAM_E_TOO_LARGE,
                    "more than %zu bytes, which is the limit; --max-body-bytes raises it", limit);
  if (file != stdin)
    fclose(file);
  if (code) {
    free(out->data);
    *out = (cam_bytes){0};
  }
  return code;
}
