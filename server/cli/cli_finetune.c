/* cli_finetune.c - camserve finetune: labelled photos and a model -> a model of these classes.
 * Flow: photoset_read -> cam_tuner_look -> photoset_split -> cam_tuner_fit -> model file. Thread:
 * main; photos are read on the tuner's own. */
#include "cam_clock.h"
#include "cli.h"
#include "finetune_options.h"
#include "finetune_report.h"
#include "finetune_say.h"
#include "interrupt.h"
#include "photoset_read.h"
#include "photoset_split.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TRIED = 2000 /* photos in all, for the report's line of fewer ones */ };

typedef struct finetune {
  const cli *arguments;
  finetune_options options;
  const char *data, *output;
  char *model, *checkpoint, *report_path; /* for free() */
  FILE *out;                              /* for people: standard output, or error beside JSON */
  photoset set;
  cam_tune_sample *samples; /* [set.n] */
  cam_tuner *tuner;
  double begin;     /* clock_seconds() */
  size_t max_bytes; /* of a photo's file */
  struct progress progress;
  int epoch; /* that is being trained; 0: photos are looked at */
  finetune_report report;
} finetune;

static bool has_flag(const finetune *run, int row) { return run->arguments->options[row]; }

/* ---- what the engine asks and tells ---- */

static cam_code read_sample(void *closure, int sample, cam_bytes *out, cam_error *error) {
  const finetune *run = closure;
  const char *path = run->set.photos[sample].path;
  if (!strcmp(path, "-"))
    path = "./-";
  return cli_read(path, run->max_bytes, out, error);
}

static bool is_stopped(void *closure) {
  (void)closure;
  return interrupt_signal();
}

static void tell_done(void *closure, int done, int total) {
  finetune *run = closure;
  const int epochs = run->options.tune.epochs;
  if (!run->epoch) {
    run->progress.total = total;
    progress_step(&run->progress, done, 0);
    return;
  }
  say_steps(&run->progress, run->epoch, epochs, done, total,
            (run->epoch - 1 + (double)done / total) / epochs);
}

/* For the report, which does without where there is no memory. */
static void keep_epoch(finetune *run, const cam_tune_epoch *epoch) {
  finetune_report_add_epoch(&run->report, &(report_epoch){.number = epoch->epoch,
                                                          .loss = epoch->loss,
                                                          .cross_entropy = epoch->cross_entropy,
                                                          .weight_decay = epoch->weight_decay,
                                                          .train = epoch->train_accuracy,
                                                          .val = epoch->val_accuracy,
                                                          .seconds = epoch->seconds});
}

static void tell_epoch(void *closure, const cam_tune_epoch *epoch) {
  finetune *run = closure;
  progress_clear(&run->progress);
  run->options.tune.epochs = epoch->epochs;
  if (!has_flag(run, TUNE_JSON))
    say_epoch(run->out, epoch);
  else if (epoch->epoch || epoch->stage == CAM_TUNE_HEAD)
    say_epoch_json(stdout, epoch);
  if (epoch->epoch)
    keep_epoch(run, epoch);
  run->epoch = epoch->epoch + 1;
  if (!epoch->epoch)
    progress_begin(&run->progress, true);
}

/* ---- what is there ---- */

/* Something else than what it writes would be lost, or it could not be written in the end. */
static cam_code check_model_output(const finetune *run, cam_error *error) {
  if (has_flag(run, TUNE_DRY_RUN))
    return CAM_OK;
  if (!run->output)
    return cam_fail(error, CAM_E_PARAMETER, "-o FILE is missing, for instance -o mine.safetensors");
  if (!access(run->output, F_OK) && !has_flag(run, TUNE_FORCE) && !has_flag(run, TUNE_RESUME))
    return cam_fail(error, CAM_E_IO, "%.100s is there already; --force replaces it", run->output);
  const char *slash = strrchr(run->output, '/');
  char *folder = strdup(".");
  if (slash) {
    free(folder);
    folder = strndup(run->output, (size_t)(slash - run->output) + 1);
  }
  const bool writable = folder && !access(folder, W_OK | X_OK);
  free(folder);
  if (!writable)
    return cam_fail(error, CAM_E_IO, "%.100s cannot be written: %s", run->output, strerror(errno));
  return CAM_OK;
}

static cam_code read_photos(finetune *run, cam_error *error) {
  const char *val = run->options.val_data;
  cam_model *model = NULL;
  cam_code code = CAM_OK;
  if (run->options.tune.keep_classes)
    code = cli_load(&run->arguments->config, &model, error);
  if (!code)
    code = photoset_open(run->data, model, &run->set, error);
  if (!code && val && run->set.has_parts)
    code = cam_fail(error, CAM_E_BODY, "--val %.60s: %.60s has val/ already", val, run->data);
  if (!code && val)
    code = photoset_add_validation(&run->set, val, model, error);
  cam_model_free(model);
  return code;
}

static cam_code open_tuner(finetune *run, cam_error *error) {
  const cam_tune_calls calls = {run, read_sample, is_stopped, tell_done, tell_epoch};
  photoset *set = &run->set;
  run->samples = calloc((size_t)set->n, sizeof *run->samples);
  if (!run->samples)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", set->n);
  for (int i = 0; i < set->n; i++)
    run->samples[i] = (cam_tune_sample){.class_id = set->photos[i].class_index,
                                        .is_val = set->photos[i].part == PART_VAL};
  if (asprintf(&run->checkpoint, "%s.checkpoint", run->output ? run->output : "") < 0)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  run->options.tune.model = run->model;
  run->options.tune.checkpoint = run->checkpoint;
  return cam_tuner_create(&run->options.tune, set->n_classes, set->classes, run->samples, set->n,
                          &calls, &run->tuner, error);
}

static cam_code look_at_photos(finetune *run, cam_error *error) {
  progress_begin(&run->progress, true);
  cam_code code = cam_tuner_look(run->tuner, !has_flag(run, TUNE_DRY_RUN), error);
  progress_clear(&run->progress);
  for (int i = 0; i < run->set.n; i++) {
    memcpy(run->set.photos[i].hash, run->samples[i].hash, sizeof run->samples[i].hash);
    run->set.photos[i].error = run->samples[i].error;
  }
  if (!code && interrupt_signal())
    code = cam_fail(error, CAM_E_DEADLINE, "stopped before there was anything to keep");
  if (!code && !photoset_count(&run->set, -1, PART_COUNT))
    code = cam_fail(error, CAM_E_BODY, "%.60s: no photo can be read: %.80s", run->data,
                    run->set.photos[0].error.detail);
  return code;
}

/* The parts that DATA does not give. */
static cam_code split_photos(finetune *run, cam_error *error) {
  photoset *set = &run->set;
  cam_code code = CAM_OK;
  if (run->options.val_share > 0)
    code = photoset_split(set, run->options.val_share, error);
  for (int i = 0; i < set->n && !code; i++) {
    if (set->photos[i].part == PART_OPEN)
      set->photos[i].part = PART_TRAIN;
    run->samples[i].is_val = set->photos[i].part == PART_VAL;
  }
  return code;
}

/* ---- all of it ---- */

static void say_estimate(finetune *run, bool looked) {
  char words[32];
  const double seconds = cam_tuner_estimate(run->tuner, photoset_count(&run->set, -1, PART_TRAIN),
                                            photoset_count(&run->set, -1, PART_VAL), looked);
  progress_duration(ceil(seconds), words);
  if (looked)
    fprintf(run->out, "training takes about %s, or less\n", words);
  else
    fprintf(run->out, "training would take about %s; nothing is written\n", words);
  fflush(run->out);
}

/* What --resume finds at OUT. *done: the same run came to its end. */
static cam_code check_there(finetune *run, bool *done, cam_error *error) {
  *done = false;
  if (access(run->output, F_OK) || has_flag(run, TUNE_FORCE))
    return CAM_OK;
  if (!cam_tuner_is_written(run->tuner, run->output, done))
    return cam_fail(error, CAM_E_IO,
                    "%.80s is there already, of another run than this; --force replaces it",
                    run->output);
  return CAM_OK;
}

/* How right heads of fewer photos a class are. */
static void try_fewer(finetune *run) {
  const cam_tune_figures *figures = cam_tuner_get_figures(run->tuner);
  const int of = figures->val, classes = figures->classes;
  int right;
  for (int n = 2; n <= MOST_TRIED / classes && cam_tuner_try_fewer(run->tuner, n, &right);
       n = n == 2 ? 5 : 2 * n)
    finetune_report_add_size(&run->report, &(report_size){n, report_share_of(right, of)});
}

/* Before training, so that it is not found out behind it that the report cannot be written. */
static cam_code open_report(finetune *run, cam_error *error) {
  finetune_report *about = &run->report;
  const char *given = run->arguments->options[TUNE_REPORT];
  about->settings = &run->arguments->config;
  about->data = run->data;
  about->model = run->output;
  about->resize = run->options.tune.resize;
  if (!photoset_count(&run->set, -1, PART_VAL)) {
    fprintf(run->out, "no report: there are no photos to validate with\n");
    return CAM_OK;
  }
  if (given)
    run->report_path = strdup(given);
  else if (asprintf(&run->report_path, "%s.report", run->output) < 0)
    run->report_path = NULL;
  if (!run->report_path)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
  return report_folder_open(&about->folder, run->report_path,
                            has_flag(run, TUNE_FORCE) || has_flag(run, TUNE_RESUME), error);
}

/* A signal ends it: the model file is there by now. */
static cam_code write_tuned_report(finetune *run, cam_error *error) {
  if (!run->report_path)
    return CAM_OK;
  fputc('\n', run->out);
  const cam_code code = finetune_report_write(&run->report, &run->set, run->out, error);
  if (!code)
    fprintf(run->out, "\nthe report is %s/index.html\n", run->report_path);
  if (code != CAM_E_DEADLINE || !interrupt_signal())
    return code;
  fputs("stopped: there is no report; --resume makes it\n", run->out);
  return CAM_OK;
}

/* A signal has ended training, and is done with; one that came behind it ends what follows. */
static void forget_signal(const cam_tune_figures *figures) {
  if (figures->stopped)
    interrupt_again();
}

static cam_code fit_and_write(finetune *run, cam_error *error) {
  if (run->options.tune.stage != CAM_TUNE_HEAD)
    say_estimate(run, true);
  cam_code code = cam_tuner_fit(run->tuner, error);
  progress_clear(&run->progress);
  if (code)
    return code;
  const cam_tune_figures *figures = cam_tuner_get_figures(run->tuner);
  say_kept(run->out, figures, &run->options.tune);
  code = cam_tuner_write(run->tuner, run->output, error);
  if (code)
    return code;
  fprintf(run->out, "wrote %s in %.1f s", run->output, clock_seconds() - run->begin);
  if (figures->stopped && figures->epochs)
    fprintf(run->out, "; --resume goes on from %s", run->checkpoint);
  fputc('\n', run->out);
  if (figures->was_int8)
    fputs("it is in 8 bits, as the model is; the figures above are those of float32\n", run->out);
  if (run->report_path && !figures->stopped)
    try_fewer(run);
  forget_signal(figures);
  return CAM_OK;
}

static cam_code train_on_photos(finetune *run, cam_error *error) {
  bool done = false;
  cam_code code = check_there(run, &done, error);
  if (!code)
    code = open_report(run, error);
  if (!code && done)
    fprintf(run->out, "%s is there already: the same run wrote it\n", run->output);
  else if (!code)
    code = fit_and_write(run, error);
  if (!code)
    code = write_tuned_report(run, error);
  if (!code && (done || !cam_tuner_get_figures(run->tuner)->stopped))
    cam_tuner_done(run->tuner);
  return code;
}

static cam_code run_all(finetune *run, cam_error *error) {
  cam_code code = read_photos(run, error);
  if (code)
    return code;
  say_found(run->out, run->data, &run->set);
  code = open_tuner(run, error);
  if (!code)
    code = look_at_photos(run, error);
  if (!code || code == CAM_E_BODY)
    say_left_out(run->out, &run->set);
  if (!code)
    code = split_photos(run, error);
  if (!code && !say_parts(run->out, &run->set, run->options.tune.balance))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a list of photos");
  if (!code && has_flag(run, TUNE_DRY_RUN))
    say_estimate(run, false);
  else if (!code)
    code = train_on_photos(run, error);
  return code;
}

static cam_code read_flags(finetune *run, cam_error *error) {
  const cli *arguments = run->arguments;
  run->data = arguments->operands[0];
  run->output = arguments->options[TUNE_OUTPUT];
  run->out = has_flag(run, TUNE_JSON) ? stderr : stdout;
  run->max_bytes = (size_t)arguments->config.max_body_bytes;
  cam_code code = finetune_options_read(arguments, &run->options, error);
  if (!code)
    code = check_model_output(run, error);
  if (!code)
    code = cli_model_path(&arguments->config, &run->model, error);
  if (!code && !interrupt_open())
    code = cam_fail(error, CAM_E_IO, "no descriptor for signals: %s", strerror(errno));
  return code;
}

int cli_finetune(const cli *arguments) {
  finetune run = {.arguments = arguments, .begin = clock_seconds(), .report.folder.descriptor = -1};
  cam_error error = {0};
  cam_code code = read_flags(&run, &error);
  int exit_code = EXIT_DONE;
  if (code) {
    exit_code = cli_fail(NULL, &error);
  } else if (run_all(&run, &error)) {
    cli_fail(NULL, &error);
    exit_code = EXIT_FAILED;
    if (interrupt_signal())
      exit_code = 128 + interrupt_signal();
  }
  finetune_report_drop(&run.report);
  cam_tuner_free(run.tuner);
  photoset_free(&run.set);
  free(run.samples);
  free(run.checkpoint);
  free(run.report_path);
  free(run.model);
  return exit_code;
}
