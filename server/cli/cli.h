/* cli.h - the command line as data: a command is a row (server/cli/main.c), its flags are rows of
 * its own, of the settings and of the parameters of POST /cam. server/cli/cli.c reads arguments
 * against a row, server/cli/cli_help.c prints it, server/cli/cli_NAME.c runs it. Thread: main.
 * Nothing here ends the process: a command returns its exit code, and main.c exits with it. */
#ifndef CLI_H
#define CLI_H
#include "base/config.h"
#include "cam_engine.h"
#include "wire/params.h"
#include <stdbool.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { CLI_MAX_OPTIONS = 32, CLI_MAX_PARAMS = PARAM_COUNT + CAM_MAX_CLASSES };

typedef struct cli_option {
  const char *name;     /* "--output"; NULL ends a list */
  const char *letter;   /* "-o", or NULL */
  const char *argument; /* "FILE"; NULL: a switch */
  const char *meaning;
} cli_option;

/* A flag that others spell in their way: it is the setting's flag, or taken and passed over. */
typedef struct cli_synonym {
  const char *name;     /* "--http_port" */
  const char *setting;  /* "port"; NULL: passed over */
  const char *argument; /* "N" */
  const char *meaning;
} cli_synonym;
enum { CLI_MAX_SYNONYMS = 4 };

typedef struct cli cli;
typedef struct cli_command {
  const char *name;
  const char *operands; /* for the usage line: "PHOTO..."; "" if there are none */
  int least, most;      /* operands */
  const char *summary;
  const char *settings; /* names of the settings it uses, each between blanks; "*": all; "": none,
                           and no --config either */
  bool lists;           /* a setting that is a list may be given again for each value */
  bool params;          /* takes the parameters of POST /cam */
  cli_option options[CLI_MAX_OPTIONS]; /* its own */
  cli_synonym synonyms[CLI_MAX_SYNONYMS];
  const char *more;                 /* what its help says besides, whole lines; may be NULL */
  const char *examples;             /* whole lines */
  int (*run)(const cli *arguments); /* returns the exit code */
} cli_command;

/* The arguments of one call. Strings are argv's, which is why nothing but the configuration is
 * freed. */
struct cli {
  const cli_command *commands, *command; /* all (name NULL ends), and the one to run */
  bool help;                             /* --help was given: nothing else was checked */
  config config;
  const char *options[CLI_MAX_OPTIONS]; /* by row of command->options; a switch that was given is
                                           ""; NULL: not given */
  struct {
    int row; /* of params.h */
    const char *value;
  } params[CLI_MAX_PARAMS]; /* in the order given */
  int n_params;
  char *const *operands;
  int n_operands;
};

/* Reads argv, which is reordered so that operands are together. The first argument is the command
 * unless it is a flag (then the first row is meant). CAM_E_PARAMETER: wrong usage. *out needs
 * cli_free whatever the code. */
cam_code cli_parse(cli *out, const cli_command *commands, int argc, char **argv, cam_error *error);
void cli_free(cli *arguments);
const cli_command *cli_find(const cli_command *commands,
                            const char *name); /* NULL if there is none */

/* "NAME": no such command; and which was meant. help: "--help", what to see. */
cam_code cli_no_such_command(const cli_command *commands, const char *name, const char *help,
                             cam_error *error);

/* Whether a command uses a setting. */
bool cli_uses(const cli_command *command, const setting *row);

/* "s" but for 1: "1 photo", "2 photos". */
const char *cli_plural(int n);

/* Says "camserve: DETAIL" on standard error and returns the exit code: EXIT_USAGE for
 * CAM_E_PARAMETER, else EXIT_FAILED. subject ("cat.jpg"; NULL: none) comes before the detail. */
int cli_fail(const char *subject, const cam_error *error);

/* An error that begins with the name of a setting or parameter, "top_k: ...", begins with the flag
 * that was typed instead: "--top-k: ...". */
void cli_name_flag(cam_error *error);

/* A whole number given as an option: row of command->options; fallback where it was not given. */
cam_code cli_number(const cli *arguments, int row, int least, int most, int fallback, int *out,
                    cam_error *error);

/* What explain, info and bench have in common: the model, with what to do if there is none; the
 * parameters that were given as flags. */
/* Where nobody named a model, and the command uses one: looks for the default one beside the
 * program, in models/ beside it or one folder up, and below ../share/camserve; else it stays
 * models/NAME in the working folder. */
cam_code cli_find_model(cli *arguments, cam_error *error);
cam_code cli_load(const config *settings, cam_model **out, cam_error *error);
/* The one file that is meant, for free(). CAM_E_PARAMETER: several are; CAM_E_IO: it cannot be
 * read. */
cam_code cli_model_path(const config *settings, char **path, cam_error *error);
cam_code cli_params(const cli *arguments, const cam_model *model, request_params *out,
                    cam_error *error);

/* Reads at most limit bytes from a file, or from standard input for "-". CAM_E_NOT_FOUND, CAM_E_IO,
 * CAM_E_TOO_LARGE, CAM_E_NO_MEMORY. out->data is for free(). */
cam_code cli_read(const char *path, size_t limit, cam_bytes *out, cam_error *error);

/* Generated texts: all commands and settings; one command; docs/settings.md; README's table of
 * the parameters of POST /cam; the commented example configuration. */
void help_first(FILE *out); /* what a terminal gets that said nothing */
void help_overview(const cli_command *commands, FILE *out);
void help_command(const cli_command *command, FILE *out);
void help_settings(FILE *out);
void help_parameters(FILE *out);
void help_ini(FILE *out);

/* The commands. */
int cli_serve(const cli *arguments);
int cli_health(const cli *arguments);
int cli_explain(const cli *arguments);
int cli_evaluate(const cli *arguments);
int cli_convert(const cli *arguments);
int cli_finetune(const cli *arguments);
int cli_info(const cli *arguments);
int cli_bench(const cli *arguments);
int cli_help(const cli *arguments);

#endif
