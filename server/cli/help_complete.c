/* help_complete.c - what completes a command line in bash, zsh and fish, from the tables that make
 * --help. A value that is a word is completed by the words, one that may be a path by paths, any
 * other by nothing.   Thread: main. */
#include "help_text.h"
#include <stdio.h>
#include <string.h>

static const char head[] = "# camserve %s: printed by `camserve help --%s`\n";

/* ---- bash ---- */

typedef struct bash_list {
  FILE *out;
  const char *command;
} bash_list;

static void put_bash_name(void *closure, const help_flag *flag) {
  FILE *out = closure;
  fprintf(out, " %s", flag->name);
  if (flag->letter)
    fprintf(out, " %s", flag->letter);
}

static void put_bash_pattern(const bash_list *list, const help_flag *flag) {
  fprintf(list->out, "    %s:%s", list->command, flag->name);
  if (flag->letter)
    fprintf(list->out, "|%s:%s", list->command, flag->letter);
  fputs(") ", list->out);
}

static void put_bash_value(void *closure, const help_flag *flag) {
  const bash_list *list = closure;
  if (!flag->argument)
    return;
  put_bash_pattern(list, flag);
  if (*flag->words)
    fprintf(list->out, "COMPREPLY=($(compgen -W '%s' -- \"$cur\"));", flag->words);
  else if (flag->path)
    fputs("compopt -o default;", list->out);
  fputs(" return ;;\n", list->out);
}

void help_complete_bash(const cli_command *commands, FILE *out) {
  fprintf(out, head, "in bash", "bash");
  fputs("_camserve() {\n"
        "  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
        "  local command=serve\n"
        "  COMPREPLY=()\n"
        "  if [[ $cur == '=' ]]; then\n"
        "    cur=''\n"
        "  elif [[ $before == '=' ]]; then\n"
        "    before=${COMP_WORDS[COMP_CWORD-2]}\n"
        "  fi\n"
        "  [[ ${COMP_WORDS[1]} == -* ]] || command=${COMP_WORDS[1]}\n"
        "  case $command:$before in\n",
        out);
  for (const cli_command *command = commands; command->name; command++) {
    bash_list list = {out, command->name};
    help_each_flag(command, put_bash_value, &list);
  }
  fputs("  esac\n"
        "  local flags=\n"
        "  case $command in\n",
        out);
  for (const cli_command *command = commands; command->name; command++) {
    fprintf(out, "    %s) flags='", command->name);
    help_each_flag(command, put_bash_name, out);
    fputs("' ;;\n", out);
  }
  fputs("  esac\n"
        "  if [[ $cur == -* ]]; then\n"
        "    COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
        "  elif [[ $COMP_CWORD == 1 ]]; then\n"
        "    COMPREPLY=($(compgen -W '",
        out);
  for (const cli_command *command = commands; command->name; command++)
    fprintf(out, " %s", command->name);
  fputs("' -- \"$cur\"))\n"
        "  else\n"
        "    compopt -o default\n"
        "  fi\n"
        "}\n"
        "complete -F _camserve camserve\n",
        out);
}

/* ---- zsh ---- */

/* Text in single quotes, in which the characters of special mean themselves. */
static void put_zsh_text(FILE *out, const char *text, const char *special) {
  for (; *text; text++) {
    if (*text == '\'') {
      fputs("'\\''", out);
      continue;
    }
    if (strchr(special, *text))
      fputc('\\', out);
    fputc(*text, out);
  }
}

static void put_zsh_spec(FILE *out, const help_flag *flag, const char *name) {
  fprintf(out, "        '%s", name);
  if (flag->argument && name[1] == '-')
    fputc('=', out);
  fputc('[', out);
  put_zsh_text(out, flag->meaning, "[]:");
  fputc(']', out);
  if (flag->argument) {
    fputc(':', out);
    put_zsh_text(out, flag->argument, ":");
    fputc(':', out);
  }
  if (flag->argument && *flag->words)
    fprintf(out, "(%s)", flag->words);
  else if (flag->path)
    fputs("_files", out);
  fputs("' \\\n", out);
}

static void put_zsh_flag(void *closure, const help_flag *flag) {
  put_zsh_spec(closure, flag, flag->name);
  if (flag->letter)
    put_zsh_spec(closure, flag, flag->letter);
}

void help_complete_zsh(const cli_command *commands, FILE *out) {
  fprintf(out, "#compdef camserve\n");
  fprintf(out, head, "in zsh", "zsh");
  fputs("_camserve() {\n"
        "  local -a commands=(\n",
        out);
  for (const cli_command *command = commands; command->name; command++) {
    fprintf(out, "    '%s:", command->name);
    put_zsh_text(out, command->summary, ":");
    fputs("'\n", out);
  }
  fputs("  )\n"
        "  local command=serve\n"
        "  if [[ $words[2] != -* ]]; then\n"
        "    if (( CURRENT == 2 )); then\n"
        "      _describe command commands\n"
        "      return\n"
        "    fi\n"
        "    command=$words[2]\n"
        "    shift words\n"
        "    (( CURRENT-- ))\n"
        "  fi\n"
        "  case $command in\n",
        out);
  for (const cli_command *command = commands; command->name; command++) {
    fprintf(out, "    %s)\n      _arguments \\\n", command->name);
    help_each_flag(command, put_zsh_flag, out);
    fputs("        '*:operand:_files'\n      ;;\n", out);
  }
  fputs("  esac\n"
        "}\n"
        "_camserve \"$@\"\n",
        out);
}

/* ---- fish ---- */

typedef struct fish_list {
  FILE *out;
  const cli_command *commands, *command;
} fish_list;

/* When a flag of this command may stand: of the first also where no command is named. */
static void put_fish_condition(const fish_list *list) {
  fputs("complete -c camserve -n '", list->out);
  if (list->command != list->commands) {
    fprintf(list->out, "__fish_seen_subcommand_from %s'", list->command->name);
    return;
  }
  fputs("not __fish_seen_subcommand_from", list->out);
  for (const cli_command *other = list->commands + 1; other->name; other++)
    fprintf(list->out, " %s", other->name);
  fputc('\'', list->out);
}

static void put_fish_text(FILE *out, const char *text) {
  fputs(" -d '", out);
  for (; *text; text++) {
    if (*text == '\'' || *text == '\\')
      fputc('\\', out);
    fputc(*text, out);
  }
  fputs("'\n", out);
}

static void put_fish_flag(void *closure, const help_flag *flag) {
  const fish_list *list = closure;
  put_fish_condition(list);
  fprintf(list->out, " -l %s", flag->name + 2);
  if (flag->letter)
    fprintf(list->out, " -s %s", flag->letter + 1);
  if (flag->argument && *flag->words)
    fprintf(list->out, " -x -a '%s'", flag->words);
  else if (flag->path)
    fputs(" -r -F", list->out);
  else if (flag->argument)
    fputs(" -x", list->out);
  put_fish_text(list->out, flag->meaning);
}

void help_complete_fish(const cli_command *commands, FILE *out) {
  fprintf(out, head, "in fish", "fish");
  for (const cli_command *command = commands; command->name; command++) {
    fprintf(out, "complete -c camserve -n __fish_use_subcommand -f -a %s", command->name);
    put_fish_text(out, command->summary);
  }
  for (const cli_command *command = commands; command->name; command++) {
    fish_list list = {out, commands, command};
    help_each_flag(command, put_fish_flag, &list);
  }
}
