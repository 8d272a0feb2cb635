/* help_text.h - what the generated texts have in common (help, man pages, completions): defaults
 * and ranges as words, and every flag of a command. Implemented in server/cli/help_text.c. Thread:
 * main.
 */
#ifndef HELP_TEXT_H
#define HELP_TEXT_H
#include "cli.h"

enum { HELP_TEXT_MAX = 400 };

/* A default as text; "" where it is empty. out is returned. */
const char *help_default(const setting *row, char out[HELP_TEXT_MAX]);
/* "0 to 65535", "text or json", "". out is returned. */
const char *help_range(const setting *row, char out[HELP_TEXT_MAX]);
/* What stands for a setting's value: "N". */
const char *help_placeholder(const setting *row);

typedef struct help_flag {
  const char *name;                /* "--output"; for as long as the visit */
  const char *letter;              /* "-o", or NULL */
  const char *argument;            /* "FILE"; NULL: a switch */
  char meaning[3 * HELP_TEXT_MAX]; /* with range and default */
  char words[HELP_TEXT_MAX]; /* that its value may be, between blanks; "": they are not a list */
  bool path;                 /* its value may be a path */
} help_flag;
typedef void help_visit(void *closure, const help_flag *flag);
/* Its own, the parameters of POST /cam, settings, synonyms, --config, --help: in that order. */
void help_each_flag(const cli_command *command, help_visit *visit, void *closure);

/* Pages and scripts for `make install`: camserve(1), camserve.ini(5), and what a shell asks for. */
void help_man_program(const cli_command *commands, FILE *out);
void help_man_settings(FILE *out);
void help_complete_bash(const cli_command *commands, FILE *out);
void help_complete_zsh(const cli_command *commands, FILE *out);
void help_complete_fish(const cli_command *commands, FILE *out);

#endif
