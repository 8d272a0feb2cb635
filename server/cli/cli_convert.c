/* cli_convert.c - camserve convert: a network, or weights and an architecture -> a model file.
 * Thread: main. */
#include "base/whole.h"
#include "cam_convert.h"
#include "cam_minmax.h"
#include "cli.h"
#include "photo_source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of its options in server/cli/main.c. */
enum {
  OUTPUT,
  ARCH,
  INT8,
  CALIBRATE,
  RANGES,
  INPUT,
  PIXELS,
  CHANNELS,
  MEAN,
  SCALE,
  LABELS,
  NAME,
  RESIZE,
  COMPARE,
  NEW_LAYERS,
  SEED
};

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

/* --int8 takes its ranges from one of two. */
static cam_code check_int8_options(const cli *arguments, cam_error *error) {
  const bool int8 = arguments->options[INT8] != NULL;
  const char *folder = arguments->options[CALIBRATE], *ranges = arguments->options[RANGES];
  if (!int8 && (folder || ranges))
    return cam_fail(error, CAM_E_PARAMETER, "--calibrate and --ranges are for --int8");
  if (int8 && !folder == !ranges)
    return cam_fail(error, CAM_E_PARAMETER,
                    "--int8 needs --calibrate FOLDER (of photos) or --ranges FILE, one of both");
  return CAM_OK;
}

static cam_code check(const cli *arguments, const char *weights, cam_error *error) {
  const char *slash = strrchr(weights, '/'), *name = weights;
  if (slash)
    name = slash + 1;
  if (!arguments->options[OUTPUT])
    return cam_fail(error, CAM_E_PARAMETER, "-o FILE is missing, for instance -o %.*s.safetensors",
                    min_int(ending_at(name), 80), name);
  for (int row = INPUT; row <= COMPARE; row++) {
    const bool names_int8 = row == NAME && arguments->options[INT8];
    if (arguments->options[ARCH] && arguments->options[row] && !names_int8)
      return cam_fail(error, CAM_E_PARAMETER, "%s: with --arch, the architecture says it",
                      arguments->command->options[row].name);
  }
  if (arguments->options[NEW_LAYERS] && !arguments->options[ARCH])
    return cam_fail(error, CAM_E_PARAMETER, "--new: --arch says what layers there are");
  return check_int8_options(arguments, error);
}

/* ---- photos to calibrate with: those of --calibrate, a folder or one photo ---- */

typedef struct photo_giver {
  const char *operand; /* NULL: there are none */
  photo_source source;
  found_photo found; /* the last one */
  size_t limit;      /* bytes of a photo */
} photo_giver;

static cam_code give_photo(void *closure, const char **name, uint8_t **bytes, size_t *n,
                           cam_error *error) {
  photo_giver *giver = closure;
  cam_bytes read = {0};
  free(giver->found.path);
  cam_code code = photo_source_next(&giver->source, &giver->found, error);
  *name = giver->found.path;
  if (code || !*name)
    return code;
  if (!giver->found.error.code)
    cli_read(*name, giver->limit, &read, &giver->found.error);
  if (giver->found.error.code)
    fprintf(stderr, "passed over: %s: %s\n", *name, giver->found.error.detail);
  *bytes = read.data;
  *n = read.size;
  return CAM_OK;
}

static cam_code open_photos(const cli *arguments, photo_giver *giver, cam_error *error) {
  *giver = (photo_giver){.operand = arguments->options[CALIBRATE],
                         .limit = (size_t)arguments->config.max_body_bytes};
  if (!giver->operand)
    return CAM_OK;
  return photo_source_open(&giver->source, (char *const *)(uintptr_t)&giver->operand, 1, NULL, 0,
                           error);
}

static void close_photos(photo_giver *giver) {
  if (giver->operand)
    photo_source_close(&giver->source);
  free(giver->found.path);
}

int cli_convert(const cli *arguments) {
  cam_error error = {0};
  const char *const *given = arguments->options;
  photo_giver photos = {0};
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
                                 .resize = given[RESIZE],
                                 .int8 = given[INT8] != NULL,
                                 .ranges = given[RANGES],
                                 .photo = give_photo,
                                 .photos = &photos,
                                 .new_layers = given[NEW_LAYERS]};
  int64_t seed = 1;
  cam_code code = CAM_OK;
  if (given[SEED] && !whole_read(given[SEED], 0, INT64_MAX, &seed))
    code = cam_fail(&error, CAM_E_PARAMETER, "--seed: %.40s is no whole number", given[SEED]);
  options.seed = (uint64_t)seed;
  if (!code)
    code = read_files(arguments, &options, &error);
  if (!code)
    code = check(arguments, options.weights, &error);
  if (!code)
    code = open_photos(arguments, &photos, &error);
  if (!code)
    code = cam_convert(&options, &error);
  close_photos(&photos);
  if (code)
    return cli_fail(NULL, &error);
  return EXIT_DONE;
}
