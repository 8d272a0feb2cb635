/* main.c - the table of commands, and the one place that ends the process. `camserve --help` is generated from here. */
#include "cli.h"
#include "version.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_SETTINGS " model isa "
#define PHOTO_SETTINGS MODEL_SETTINGS "threads max_body_bytes max_pixels max_side decode_bytes max_scans "

static const cli_command commands[] = {
  {"help", "[COMMAND]", 0, 1, "this text, or the help of a command", "", false,
   {{"--markdown", NULL, NULL, "the table of settings, as it stands in README.md"}, {"--ini", NULL, NULL, "a commented configuration file, as it stands in config/camserve.ini"}},
   NULL,
   "  camserve help explain\n"
   "  camserve help --ini > camserve.ini\n",
   cli_help},
  {0},
};

static int run(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--version")) return printf("camserve %s (%s)\n", cam_version, cam_commit), EXIT_DONE;
  cli arguments;
  cam_error error;
  int code;
  if (cli_parse(&arguments, commands, argc, argv, &error)) code = cli_fail(NULL, &error);
  else if (arguments.help) code = (help_command(arguments.command, stdout), EXIT_DONE);
  else code = arguments.command->run(&arguments);
  cli_free(&arguments);
  return code;
}

int main(int argc, char **argv) {
  int code = run(argc, argv);
  errno = 0;
  if (fflush(stdout) || ferror(stdout)) { /* a full disk is a failure too */
    fprintf(stderr, "camserve: standard output: %s\n", strerror(errno));
    code = code ? code : EXIT_FAILED;
  }
  exit(code);
}
