/* cli_convert.c - camserve convert: a network, or weights and an architecture -> a model file.
 * Thread: main. */
#include "cam_convert.h"
#include "cam_minmax.h"
#include "cli.h"
#include <stdio.h>
#include <string.h>

/* Rows of its options in server/cli/main.c. */
enum { OUTPUT, ARCH, INPUT, PIXELS, CHANNELS, MEAN, SCALE, LABELS, NAME, RESIZE, COMPARE };

static void say(void *closure, const char *line) { fprintf(closure, "%s\n", line); }

/* --compare IN.npy OUT.npy: a flag takes one argument, so the second is the operand that is a .npy,
 * wherever the flag stands. */
static cam_code read_files(const cli *arguments, cam_convert_options *options, cam_error *error) {
  char *const *operands = arguments->operands;
  options->weights = operands[0];
  options->compare_input = arguments->options[COMPARE];
  if (!options->compare_input)
    return arguments->n_operands == 1
               ? CAM_OK
               : cam_fail(error, CAM_E_PARAMETER, "convert takes one file, and %s is a second",
                          operands[1]);
  const size_t n = strlen(operands[0]);
  const int out = n > 4 && !strcmp(operands[0] + n - 4, ".npy") ? 0 : 1;
  if (arguments->n_operands != 2)
    return cam_fail(error, CAM_E_PARAMETER, "--compare takes two files: IN.npy OUT.npy");
  options->compare_output = operands[out];
  options->weights = operands[!out];
  return CAM_OK;
}

/* Where the ending of a file's name begins. */
static int ending_at(const char *name) {
  const char *dot = strrchr(name, '.');
  if (!dot || dot == name)
    return (int)strlen(name);
  return (int)(dot - name);
}

static cam_code check(const cli *arguments, const char *weights, cam_error *error) {
  const char *slash = strrchr(weights, '/'), *name = weights;
  if (slash)
    name = slash + 1;
  if (!arguments->options[OUTPUT])
    return cam_fail(error, CAM_E_PARAMETER, "-o FILE is missing, for instance -o %.*s.safetensors",
                    min_int(ending_at(name), 80), name);
  for (int row = INPUT; row <= COMPARE; row++)
    if (arguments->options[ARCH] && arguments->options[row])
      return cam_fail(error, CAM_E_PARAMETER, "%s: with --arch, the architecture says it",
                      arguments->command->options[row].name);
  return CAM_OK;
}

int cli_convert(const cli *arguments) {
  cam_error error = {0};
  const char *const *given = arguments->options;
  cam_convert_options options = {.architecture = given[ARCH],
                                 .output = given[OUTPUT],
                                 .threads = (int)arguments->config.threads,
                                 .progress = say,
                                 .closure = stderr,
                                 .input = given[INPUT],
                                 .pixels = given[PIXELS],
                                 .channels = given[CHANNELS],
                                 .mean = given[MEAN],
                                 .scale = given[SCALE],
                                 .labels = given[LABELS],
                                 .name = given[NAME],
                                 .resize = given[RESIZE]};
  cam_code code = read_files(arguments, &options, &error);
  if (!code)
    code = check(arguments, options.weights, &error);
  if (!code)
    code = cam_convert(&options, &error);
  if (code)
    return cli_fail(NULL, &error);
  return EXIT_DONE;
}
