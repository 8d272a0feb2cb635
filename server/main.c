/* main.c - the table of commands, and the one place that ends the process. `camserve --help` is generated from here. */
#include "cli.h"
#include "version.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_command commands[] = {
  {"convert", "WEIGHTS", 1, 1, "join trained weights with an architecture into a model file", " threads ", false,
   {{"--arch", NULL, "FILE", "the architecture: config/models/NAME.json"}, {"--output", "-o", "FILE", "the model file to write: NAME.safetensors"}},
   "WEIGHTS is a PyTorch state dict (.pth, old or new format) or a .npy file with a pickled dict of arrays (vgg16CAM.npy).\n"
   "It is read as plain data; no code in it is run.\n",
   "  camserve convert efficientnet-lite0.pth --arch config/models/efficientnet-lite0.json -o lite0.safetensors\n"
   "  camserve convert vgg16CAM.npy --arch config/models/vgg16-cam.json -o models/vgg16-cam.safetensors\n",
   cli_convert},
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
