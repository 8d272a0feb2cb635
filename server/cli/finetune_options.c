/* finetune_options.c - finetune_options.h. */
#include "finetune_options.h"
#include "base/whole.h"
#include "cam_minmax.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *flag_of(const cli *arguments, int row) {
  return arguments->command->options[row].name;
}

/* A decimal number and nothing behind it but what *end gets: "0.5", "1e-3". False: it is none. */
static bool begin_number(const char *text, double *out, const char **end) {
  char *stop;
  if (!*text || !strchr("0123456789.", *text))
    return false;
  errno = 0;
  *out = strtod(text, &stop);
  *end = stop;
  return stop > text && isfinite(*out) && strspn(text, "0123456789.eE+-") >= (size_t)(stop - text);
}

/* The value of a row within least..most; without: as it is in *out. */
static cam_code take_real(const cli *arguments, int row, double least, double most, double *out,
                          cam_error *error) {
  const char *text = arguments->options[row], *end = "";
  double value;
  if (!text)
    return CAM_OK;
  if (begin_number(text, &value, &end) && !*end && value >= least && value <= most) {
    *out = value;
    return CAM_OK;
  }
  return cam_fail(error, CAM_E_PARAMETER, "%s: %.40s is no number from %g to %g",
                  flag_of(arguments, row), text, least, most);
}

/* The index of the row's word among words. */
static cam_code take_word(const cli *arguments, int row, const char *(*name)(int), int n, int *out,
                          cam_error *error) {
  const char *text = arguments->options[row];
  char list[80] = "";
  for (int i = 0; text && i < n; i++) {
    if (!strcmp(text, name(i))) {
      *out = i;
      return CAM_OK;
    }
    strcat(list, i ? ", " : "");
    strncat(list, name(i), 20);
  }
  if (!text)
    return CAM_OK;
  return cam_fail(error, CAM_E_PARAMETER, "%s: %.40s is none of %s", flag_of(arguments, row), text,
                  list);
}

static const char *stage_word(int i) { return cam_tune_stage_name((cam_tune_stage)i); }
static const char *schedule_word(int i) { return cam_tune_schedule_name((cam_tune_schedule)i); }
static const char *resize_word(int i) { return cam_resize_name((cam_resize)i); }
static const char *augment_word(int i) {
  static const char *const words[] = {"none", "flip"};
  return words[i];
}

static cam_code take_words(const cli *arguments, cam_tune_options *out, cam_error *error) {
  int stage = (int)out->stage, schedule = (int)out->schedule, resize = (int)out->resize, flip = 0;
  cam_code code = take_word(arguments, TUNE_STAGE, stage_word, CAM_TUNE_STAGE_COUNT, &stage, error);
  if (!code)
    code = take_word(arguments, TUNE_SCHEDULE, schedule_word, CAM_TUNE_SCHEDULE_COUNT, &schedule,
                     error);
  if (!code)
    code = take_word(arguments, TUNE_RESIZE, resize_word, CAM_RESIZE_COUNT, &resize, error);
  if (!code)
    code = take_word(arguments, TUNE_AUGMENT, augment_word, 2, &flip, error);
  out->stage = (cam_tune_stage)stage;
  out->schedule = (cam_tune_schedule)schedule;
  out->resize = (cam_resize)resize;
  out->flip = flip;
  return code;
}

/* A number with a unit behind it: "10m", "1.5GiB". The first unit is that of a number alone. */
typedef struct unit {
  const char *name;
  double factor;
} unit;

static cam_code take_measure(const cli *arguments, int row, const unit *units, double most,
                             double *out, cam_error *error) {
  const char *text = arguments->options[row], *end;
  double value;
  if (!text)
    return CAM_OK;
  if (begin_number(text, &value, &end))
    for (const unit *u = units; u->name; u++)
      if ((!strcasecmp(end, u->name) || (!*end && u == units)) && value * u->factor <= most &&
          value > 0) {
        *out = value * u->factor;
        return CAM_OK;
      }
  return cam_fail(error, CAM_E_PARAMETER, "%s: %.40s is none; %s for instance",
                  flag_of(arguments, row), text, arguments->command->options[row].argument);
}

static cam_code take_measures(const cli *arguments, cam_tune_options *out, cam_error *error) {
  static const unit times[] = {{"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {NULL, 0}};
  static const unit sizes[] = {{"B", 1},    {"KiB", 1024},  {"MiB", 1 << 20}, {"GiB", 1 << 30},
                               {"K", 1024}, {"M", 1 << 20}, {"G", 1 << 30},   {"kB", 1e3},
                               {"MB", 1e6}, {"GB", 1e9},    {NULL, 0}};
  double memory = (double)out->memory;
  cam_code code = take_measure(arguments, TUNE_TIME, times, 1e9, &out->seconds, error);
  if (!code)
    code = take_measure(arguments, TUNE_MEMORY, sizes, 1e15, &memory, error);
  out->memory = (size_t)memory;
  return code;
}

static cam_code take_whole(const cli *arguments, int row, int least, int most, int *out,
                           cam_error *error) {
  return cli_number(arguments, row, least, most, *out, out, error);
}

static cam_code take_numbers(const cli *arguments, cam_tune_options *out, cam_error *error) {
  int64_t seed = (int64_t)out->seed;
  cam_code code = take_whole(arguments, TUNE_EPOCHS, 1, 100000, &out->epochs, error);
  if (!code)
    code = take_whole(arguments, TUNE_BATCH, 1, 4096, &out->batch, error);
  if (!code)
    code = take_whole(arguments, TUNE_PATIENCE, 0, 100000, &out->patience, error);
  if (!code)
    code = take_real(arguments, TUNE_LR, 0, 100, &out->rate, error);
  if (!code)
    code = take_real(arguments, TUNE_MOMENTUM, 0, 0.999999, &out->momentum, error);
  if (!code)
    code = take_real(arguments, TUNE_WEIGHT_DECAY, 0, 1000, &out->weight_decay, error);
  if (!code)
    code = take_real(arguments, TUNE_KEEP_PROB, 0.01, 1, &out->keep_prob, error);
  if (!code && arguments->options[TUNE_SEED] &&
      !whole_read(arguments->options[TUNE_SEED], 0, INT64_MAX, &seed))
    code = cam_fail(error, CAM_E_PARAMETER, "--seed: %.40s is no whole number",
                    arguments->options[TUNE_SEED]);
  out->seed = (uint64_t)seed;
  return code;
}

/* A share, or where photos to validate with are. */
static cam_code take_val(const cli *arguments, finetune_options *out, cam_error *error) {
  const char *text = arguments->options[TUNE_VAL], *end;
  out->val_share = 0.2;
  if (!text)
    return CAM_OK;
  if (!begin_number(text, &out->val_share, &end) || *end) {
    out->val_data = text;
    out->val_share = 0;
  } else if (out->val_share > 0.9) {
    return cam_fail(error, CAM_E_PARAMETER,
                    "--val: %.40s is no share from 0 to 0.9 (a folder may be ./%.40s)", text, text);
  }
  return CAM_OK;
}

/* Flags that mean nothing for the head alone would be thought to do something. */
static cam_code check_stage(const cli *arguments, const cam_tune_options *tune, cam_error *error) {
  static const int rows[] = {TUNE_EPOCHS,   TUNE_BATCH,     TUNE_LR,      TUNE_MOMENTUM,
                             TUNE_SCHEDULE, TUNE_KEEP_PROB, TUNE_PATIENCE};
  for (size_t i = 0; i < sizeof rows / sizeof *rows && tune->stage == CAM_TUNE_HEAD; i++)
    if (arguments->options[rows[i]])
      return cam_fail(error, CAM_E_PARAMETER,
                      "%s: of --stage last and all; the head is fitted to its end",
                      flag_of(arguments, rows[i]));
  return CAM_OK;
}

cam_code finetune_options_read(const cli *arguments, finetune_options *out, cam_error *error) {
  cam_tune_options *tune = &out->tune;
  *out = (finetune_options){.tune = cam_default_tune};
  tune->threads = config_threads(&arguments->config);
  tune->limits = config_limits(&arguments->config);
  tune->keep_classes = arguments->options[TUNE_KEEP_CLASSES];
  tune->balance = arguments->options[TUNE_BALANCE];
  tune->resume = arguments->options[TUNE_RESUME];
  cam_code code = take_words(arguments, tune, error);
  if (!code)
    code = take_measures(arguments, tune, error);
  if (!code)
    code = take_numbers(arguments, tune, error);
  if (!code)
    code = take_val(arguments, out, error);
  if (!code)
    code = check_stage(arguments, tune, error);
  return code;
}
