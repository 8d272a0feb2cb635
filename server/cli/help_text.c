/* help_text.c - help_text.h. Flow: tables of commands, settings, parameters -> [help_text] ->
 * cli_help, help_man, help_complete.   Thread: main. */
#include "help_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *help_default(const setting *row, char out[HELP_TEXT_MAX]) {
  if (row->kind == SETTING_NUMBER)
    snprintf(out, HELP_TEXT_MAX, "%" PRId64, row->number);
  else
    snprintf(out, HELP_TEXT_MAX, "%s", row->text);
  return out;
}

/* "text|json" with between for each bar. */
static void spell_words(const char *words, const char *between, char out[HELP_TEXT_MAX]) {
  int n = 0;
  *out = '\0';
  for (const char *word = words; *word; word++) {
    if (*word == '|')
      n += snprintf(out + n, (size_t)(HELP_TEXT_MAX - n), "%s", between);
    else
      n += snprintf(out + n, (size_t)(HELP_TEXT_MAX - n), "%c", *word);
  }
}

const char *help_range(const setting *row, char out[HELP_TEXT_MAX]) {
  *out = '\0';
  if (row->kind == SETTING_NUMBER)
    snprintf(out, HELP_TEXT_MAX, "%" PRId64 " to %" PRId64, row->least, row->most);
  if (row->kind == SETTING_WORD)
    spell_words(row->words, " or ", out);
  return out;
}

const char *help_placeholder(const setting *row) {
  static const char *const placeholders[] = {[SETTING_NUMBER] = "N",
                                             [SETTING_TEXT] = "TEXT",
                                             [SETTING_WORD] = "WORD",
                                             [SETTING_LIST] = "TEXT"};
  return placeholders[row->kind];
}

/* ---- every flag ---- */

static bool takes_path(const char *argument) {
  return argument && (!strcmp(argument, "FILE") || !strcmp(argument, "DIR"));
}

static void visit_plain(const char *name, const char *letter, const char *argument,
                        const char *meaning, help_visit *visit, void *closure) {
  help_flag flag = {name, letter, argument, "", "", takes_path(argument)};
  snprintf(flag.meaning, sizeof flag.meaning, "%s", meaning);
  visit(closure, &flag);
}

static void visit_params(help_visit *visit, void *closure) {
  for (int i = 0; i < PARAM_COUNT; i++) {
    const param_info *info = params_info(i);
    const char *const *words = params_words(i);
    char name[SETTING_NAME_MAX], allowed[PARAM_TEXT_MAX];
    help_flag flag = {config_flag_name(info->name, name), NULL, "VALUE", "", "", false};
    size_t used = 0;
    if (info->of_service)
      continue;
    snprintf(flag.meaning, sizeof flag.meaning, "%s (%s; default %s)", info->meaning,
             params_allowed(i, " or ", allowed), info->fallback);
    for (; words && *words && used < sizeof flag.words; words++)
      used += (size_t)snprintf(flag.words + used, sizeof flag.words - used, "%s%s", used ? " " : "",
                               *words);
    visit(closure, &flag);
  }
}

static void visit_settings(const cli_command *command, help_visit *visit, void *closure) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    const setting *row = &config_settings[i];
    char name[SETTING_NAME_MAX], range[HELP_TEXT_MAX], fallback[HELP_TEXT_MAX];
    if (!cli_uses(command, row))
      continue;
    help_flag flag = {config_flag_name(row->name, name),
                      NULL,
                      help_placeholder(row),
                      "",
                      "",
                      row->kind == SETTING_TEXT || row->kind == SETTING_LIST};
    if (*help_range(row, range))
      strcat(range, "; ");
    if (!*help_default(row, fallback))
      strcpy(fallback, "empty");
    snprintf(flag.meaning, sizeof flag.meaning, "%s (%sdefault %s)", row->meaning, range, fallback);
    if (row->kind == SETTING_WORD)
      spell_words(row->words, " ", flag.words);
    visit(closure, &flag);
  }
}

void help_each_flag(const cli_command *command, help_visit *visit, void *closure) {
  for (int i = 0; i < CLI_MAX_OPTIONS && command->options[i].name; i++) {
    const cli_option *option = &command->options[i];
    visit_plain(option->name, option->letter, option->argument, option->meaning, visit, closure);
  }
  if (command->params)
    visit_params(visit, closure);
  visit_settings(command, visit, closure);
  for (int i = 0; i < CLI_MAX_SYNONYMS && command->synonyms[i].name; i++) {
    const cli_synonym *synonym = &command->synonyms[i];
    visit_plain(synonym->name, NULL, synonym->argument, synonym->meaning, visit, closure);
  }
  if (*command->settings)
    visit_plain("--config", NULL, "FILE",
                "read settings from this file (camserve help --ini prints one); also "
                "CAMSERVE_CONFIG",
                visit, closure);
  visit_plain("--help", "-h", NULL, "what there is to say of this command", visit, closure);
}
