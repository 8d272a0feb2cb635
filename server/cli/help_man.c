/* help_man.c - manual pages (man(7)), from the tables that make --help. Thread: main. */
#include "base/version.h"
#include "help_text.h"
#include <stdio.h>
#include <string.h>

/* Text as roff has it: a hyphen that can be copied, and no character that means something. */
static void put_roff(FILE *out, const char *text) {
  for (const char *c = text; *c; c++) {
    const bool first = c == text || c[-1] == '\n';
    if (first && (*c == '.' || *c == '\''))
      fputs("\\&", out);
    switch (*c) {
    case '-':
      fputs("\\-", out);
      break;
    case '\\':
      fputs("\\e", out);
      break;
    case '\'':
      fputs("\\(aq", out);
      break;
    case '`':
      fputs("\\(ga", out);
      break;
    case '^':
      fputs("\\(ha", out);
      break;
    case '~':
      fputs("\\(ti", out);
      break;
    default:
      fputc(*c, out);
    }
  }
}

static void put_line(FILE *out, const char *text) {
  put_roff(out, text);
  fputc('\n', out);
}

/* Nothing is hyphenated: a name is copied as it stands. */
static void put_head(FILE *out, const char *name, int section, const char *what) {
  fprintf(out, ".TH \"%s\" %d \"\" \"camserve %s\" \"camserve\"\n.nh\n.ad l\n.SH NAME\n", name,
          section, cam_version);
  put_roff(out, name);
  fprintf(out, " \\- ");
  put_line(out, what);
}

/* Bold, and its argument in italics. */
static void put_flag(FILE *out, const char *name, const char *argument) {
  fputs("\\fB", out);
  put_roff(out, name);
  fputs("\\fR", out);
  if (!argument)
    return;
  fputs(" \\fI", out);
  put_roff(out, argument);
  fputs("\\fR", out);
}

static void put_entry(void *closure, const help_flag *flag) {
  FILE *out = closure;
  fputs(".TP\n", out);
  if (flag->letter) {
    put_flag(out, flag->letter, NULL);
    fputs(", ", out);
  }
  put_flag(out, flag->name, flag->argument);
  fputc('\n', out);
  put_line(out, flag->meaning);
}

/* Paragraphs, with a blank line between. */
static void put_paragraphs(FILE *out, const char *text) {
  while (*text) {
    const int n = (int)strcspn(text, "\n");
    char line[HELP_TEXT_MAX];
    snprintf(line, sizeof line, "%.*s", n, text);
    if (n)
      put_line(out, line);
    else
      fputs(".PP\n", out);
    text += n + (text[n] == '\n');
  }
}

static void put_examples(FILE *out, const char *text) {
  fputs(".PP\n.EX\n", out);
  put_roff(out, text);
  fputs(".EE\n", out);
}

static void put_command(FILE *out, const cli_command *command) {
  fprintf(out, ".SS ");
  put_line(out, command->name);
  put_line(out, command->summary);
  fputs(".PP\n\\fBcamserve ", out);
  put_roff(out, command->name);
  fputs("\\fR [\\fIFLAG\\fR]...", out);
  if (*command->operands) {
    fputs(" \\fI", out);
    put_roff(out, command->operands);
    fputs("\\fR", out);
  }
  fputc('\n', out);
  if (command->more) {
    fputs(".PP\n", out);
    put_paragraphs(out, command->more);
  }
  help_each_flag(command, put_entry, out);
  put_examples(out, command->examples);
}

void help_man_program(const cli_command *commands, FILE *out) {
  put_head(out, "camserve", 1, "what a vision network saw in a photo, and where");
  fputs(".SH SYNOPSIS\n\\fBcamserve\\fR [\\fICOMMAND\\fR] [\\fIFLAG\\fR]... "
        "[\\fIOPERAND\\fR]...\n.SH DESCRIPTION\n",
        out);
  put_line(out, "Explains photos: the likeliest labels, and for each a class activation map of "
                "where the network saw it. camserve serves that over HTTP, with a page to look at "
                "it, and does it for files and folders. Where no command is named, it is serve.");
  fputs(".PP\n", out);
  put_line(out, "A flag wins over the environment, the environment over the configuration file. "
                "Each setting is --NAME as a flag and CAMSERVE_NAME in the environment, with _ "
                "for - and in capitals.");
  fputs(".SH COMMANDS\n", out);
  for (const cli_command *command = commands; command->name; command++)
    put_command(out, command);
  fputs(".SH EXIT STATUS\n", out);
  put_line(out, "0 done, 1 failed, 2 wrong usage. Errors are one line on standard error.");
  fputs(".SH SEE ALSO\n\\fBcamserve.ini\\fR(5)\n", out);
}

void help_man_settings(FILE *out) {
  put_head(out, "camserve.ini", 5, "settings of camserve");
  fputs(".SH DESCRIPTION\n", out);
  put_line(out, "Lines of the form name = value, under [camserve] or under nothing; what follows "
                "a ; or a # at the beginning of a line is a comment. camserve reads the file that "
                "--config or CAMSERVE_CONFIG names; the environment and flags win over it.");
  fputs(".SH SETTINGS\n", out);
  for (int i = 0; i < SETTING_COUNT; i++) {
    const setting *row = &config_settings[i];
    char flag[SETTING_NAME_MAX], variable[SETTING_NAME_MAX], text[HELP_TEXT_MAX];
    fputs(".TP\n", out);
    put_flag(out, row->name, help_placeholder(row));
    fputc('\n', out);
    put_roff(out, row->meaning);
    if (*help_range(row, text)) {
      fputs(" (", out);
      put_roff(out, text);
      fputs(")", out);
    }
    fputs(".\n", out);
    if (*help_default(row, text)) {
      fputs("The default is ", out);
      put_roff(out, text);
      fputs(".\n", out);
    }
    put_flag(out, config_environment_name(row->name, variable), NULL);
    fputs(", ", out);
    put_flag(out, config_flag_name(row->name, flag), NULL);
    fputc('\n', out);
  }
  fputs(".SH SEE ALSO\n\\fBcamserve\\fR(1)\n", out);
}
