/* cli_convert.c - camserve convert: weights + architecture -> a model file. Thread: main. */
#include "cam_convert.h"
#include "cli.h"
#include <stdio.h>

enum { ARCH, OUTPUT }; /* rows of its options in server/cli/main.c */

static void say(void *closure, const char *line) { fprintf(closure, "%s\n", line); }

int cli_convert(const cli *arguments) {
  cam_error error = {0};
  cam_convert_options options = {.weights = arguments->operands[0],
                                 .architecture = arguments->options[ARCH],
                                 .output = arguments->options[OUTPUT],
                                 .threads = (int)arguments->config.threads,
                                 .progress = say,
                                 .closure = stderr};
  if (!options.architecture)
    cam_fail(&error, CAM_E_PARAMETER,
             "--arch FILE is missing, for instance --arch config/models/efficientnet-lite0.json");
  else if (!options.output)
    cam_fail(&error, CAM_E_PARAMETER,
             "-o FILE is missing, for instance -o models/efficientnet-lite0.safetensors");
  else if (!cam_convert(&options, &error))
    return EXIT_DONE;
  return cli_fail(NULL, &error);
}
