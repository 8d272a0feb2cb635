/* finetune_say.c - finetune_say.h. */
#include "finetune_say.h"
#include "cam_clock.h"
#include "cam_json.h"
#include "cam_minmax.h"
#include "cli.h"
#include "explain_photo.h"
#include "photoset_split.h"
#include "shown_name.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED = 5 /* of a list that may be long */, SMALL_CLASS = 10, CLASSES_SHOWN = 40 };

/* ---- what was found ---- */

static void say_passed_over(FILE *out, const photoset *set) {
  char words[PASSED_WORDS_MAX];
  passed_over others = set->others;
  if (others.files)
    fprintf(out, "  passed over, no photos by their names: %s\n",
            passed_over_words(&others, words));
  if (set->loose)
    fprintf(out, "  passed over, in no class's folder: %" PRId64 " photo%s\n", set->loose,
            cli_plural((int)min_int64(set->loose, 2)));
  if (set->unread)
    fprintf(out, "  passed over, beside train/ and val/: %d folder%s\n", set->unread,
            cli_plural(set->unread));
}

static int classes_with_photos(const photoset *set) {
  int n = 0;
  bool *seen = calloc((size_t)set->n_classes + 1, sizeof *seen);
  for (int i = 0; seen && i < set->n; i++) {
    n += !seen[set->photos[i].class_index];
    seen[set->photos[i].class_index] = true;
  }
  free(seen);
  return n;
}

void say_found(FILE *out, const char *data, const photoset *set) {
  const int classes = classes_with_photos(set);
  fprintf(out, "%s: %d photo%s of %d class%s\n", data, set->n, cli_plural(set->n), classes,
          classes == 1 ? "" : "es");
  say_passed_over(out, set);
  fflush(out);
}

static void say_path(FILE *out, const char *path) {
  char *name = shown_path(path, "-");
  fputs(name ? name : "?", out);
  free(name);
}

void say_left_out(FILE *out, const photoset *set) {
  const int n = set->n - photoset_count(set, -1, PART_COUNT);
  if (!n)
    return;
  fprintf(out, "left out, %d photo%s:\n", n, cli_plural(n));
  for (int i = 0; i < set->n; i++) {
    const labelled_photo *photo = &set->photos[i];
    if (!photo->error.code)
      continue;
    fputs("  ", out);
    say_path(out, photo->path);
    fprintf(out, ": %s\n", photo->error.detail);
  }
}

/* ---- parts ---- */

/* Photos a class and part, [n_classes][PART_COUNT + 1]; the last is left out. */
static int (*count_parts(const photoset *set))[PART_COUNT + 1] {
  int(*counts)[PART_COUNT + 1] = calloc((size_t)set->n_classes + 1, sizeof *counts);
  for (int i = 0; counts && i < set->n; i++) {
    const labelled_photo *photo = &set->photos[i];
    int part = (int)photo->part;
    if (photo->error.code)
      part = PART_COUNT;
    counts[photo->class_index][part]++;
  }
  return counts;
}

static void say_counts(FILE *out, const photoset *set, int (*counts)[PART_COUNT + 1]) {
  int shown = 0, hidden = 0;
  char name[SHOWN_NAME_MAX];
  fprintf(out, "  %-*s %7s %7s %9s\n", SHOWN_NAME_COLUMNS, "class", "train", "val", "left out");
  for (int c = 0; c < set->n_classes; c++) {
    const int *row = counts[c];
    if (row[PART_TRAIN] + row[PART_VAL] + row[PART_COUNT] == 0)
      continue;
    if (shown++ >= CLASSES_SHOWN) {
      hidden++;
      continue;
    }
    shown_name(set->classes[c], name);
    fprintf(out, "  %s%*s %7d %7d %9d\n", name, SHOWN_NAME_COLUMNS - shown_name_columns(name), "",
            row[PART_TRAIN], row[PART_VAL], row[PART_COUNT]);
  }
  if (hidden)
    fprintf(out, "  and %d more classes\n", hidden);
}

static void say_small(FILE *out, const photoset *set, int (*counts)[PART_COUNT + 1], bool balance) {
  int small = 0, first = -1, least = -1, most = -1;
  char name[SHOWN_NAME_MAX], other[SHOWN_NAME_MAX];
  for (int c = 0; c < set->n_classes; c++) {
    const int n = counts[c][PART_TRAIN];
    if (!n)
      continue;
    if (n < SMALL_CLASS && !small++)
      first = c;
    if (least < 0 || n < counts[least][PART_TRAIN])
      least = c;
    if (most < 0 || n > counts[most][PART_TRAIN])
      most = c;
  }
  if (small)
    fprintf(out,
            "few photos: %d class%s fewer than %d to train on (%s: %d); more of them help most\n",
            small, small == 1 ? " has" : "es have", SMALL_CLASS,
            shown_name(set->classes[first], name), counts[first][PART_TRAIN]);
  if (least >= 0 && !balance && counts[most][PART_TRAIN] >= 5 * counts[least][PART_TRAIN])
    fprintf(out, "uneven: %d photos of %s, %d of %s; --balance lets classes count alike\n",
            counts[most][PART_TRAIN], shown_name(set->classes[most], name),
            counts[least][PART_TRAIN], shown_name(set->classes[least], other));
}

static bool say_doubles(FILE *out, const photoset *set) {
  static const char *const words[DOUBLE_KINDS] = {"the same picture in two classes",
                                                  "the same picture trained on and validated with",
                                                  "the same picture twice"};
  int n, counts[DOUBLE_KINDS] = {0};
  photo_double *doubles = photoset_doubles(set, &n);
  for (int i = 0; i < n; i++)
    counts[doubles[i].kind]++;
  for (int kind = 0; kind < DOUBLE_KINDS; kind++) {
    if (counts[kind])
      fprintf(out, "%s: %d\n", words[kind], counts[kind]);
    int said = 0;
    for (int i = 0; i < n; i++) {
      if ((int)doubles[i].kind != kind || said++ >= NAMED)
        continue;
      fputs("  ", out);
      say_path(out, set->photos[doubles[i].first].path);
      fputs(" = ", out);
      say_path(out, set->photos[doubles[i].second].path);
      fputc('\n', out);
    }
    if (said > NAMED)
      fprintf(out, "  and %d more\n", said - NAMED);
  }
  free(doubles);
  return n >= 0;
}

bool say_parts(FILE *out, const photoset *set, bool balance) {
  int(*counts)[PART_COUNT + 1] = count_parts(set);
  if (!counts)
    return false;
  say_counts(out, set, counts);
  const bool done = say_doubles(out, set);
  say_small(out, set, counts, balance);
  free(counts);
  fflush(out);
  return done;
}

/* ---- training ---- */

static void say_share(FILE *out, const char *name, double share) {
  if (share >= 0)
    fprintf(out, ", %s %.1f %%", name, 100 * share);
}

void say_epoch(FILE *out, const cam_tune_epoch *epoch) {
  if (epoch->epoch)
    fprintf(out, "%s, epoch %d of %d: loss %.4f (cross-entropy %.4f, weight decay %.4f)",
            cam_tune_stage_name(epoch->stage), epoch->epoch, epoch->epochs, epoch->loss,
            epoch->cross_entropy, epoch->weight_decay);
  else if (epoch->stage == CAM_TUNE_HEAD)
    fprintf(out, "head: loss %.4f after %d iterations", epoch->loss, epoch->iterations);
  else
    fprintf(out, "%s, before the first epoch", cam_tune_stage_name(epoch->stage));
  say_share(out, "right of train", epoch->train_accuracy);
  say_share(out, "of val", epoch->val_accuracy);
  fprintf(out, ", %.1f s%s%s\n", epoch->seconds, epoch->best && epoch->epoch ? ", the best" : "",
          epoch->resumed ? " (before it was resumed)" : "");
  fflush(out);
}

void say_epoch_json(FILE *out, const cam_tune_epoch *epoch) {
  json *line = json_new_object();
  json_add_text(line, "stage", cam_tune_stage_name(epoch->stage));
  json_add_int(line, "epoch", epoch->epoch);
  json_add_number(line, "loss", epoch->loss);
  json_add_number(line, "cross_entropy", epoch->cross_entropy);
  json_add_number(line, "weight_decay", epoch->weight_decay);
  json_add_number(line, "train_accuracy", epoch->train_accuracy);
  if (epoch->val_accuracy >= 0) {
    json_add_number(line, "val_accuracy", epoch->val_accuracy);
    json_add_number(line, "val_loss", epoch->val_loss);
  } else {
    json_add_null(line, "val_accuracy");
    json_add_null(line, "val_loss");
  }
  json_add_fixed(line, "seconds", epoch->seconds, 3);
  if (epoch->epoch)
    json_add_number(line, "lr", epoch->rate);
  else
    json_add_int(line, "iterations", epoch->iterations);
  json_add_bool(line, "best", epoch->best);
  if (epoch->resumed)
    json_add_bool(line, "resumed", true);
  char *text = json_print(line, true, NULL);
  if (text)
    fprintf(out, "%s\n", text);
  free(text);
  json_free(line);
  fflush(out);
}

void say_steps(struct progress *progress, int epoch, int epochs, int done, int total,
               double share) {
  const double now = clock_seconds();
  char left[32];
  if (!progress->shown || now - progress->last < 0.2)
    return;
  progress->last = now;
  progress->dirty = true;
  fprintf(stderr, "\repoch %d of %d: %d of %d steps", epoch, epochs, done, total);
  if (share > 0)
    fprintf(stderr, ", at most %s left",
            progress_duration((now - progress->begin) * (1 - share) / share, left));
  fprintf(stderr, "\033[K");
  fflush(stderr);
}

/* ---- what came out ---- */

void say_kept(FILE *out, const cam_tune_figures *figures, const cam_tune_options *options) {
  const char *stage = cam_tune_stage_name(options->stage), *start = "head";
  if (options->keep_classes)
    start = "model as it was";
  if (figures->stopped)
    fprintf(out, "stopped early: the best so far is kept\n");
  if (figures->patience_ended)
    fprintf(out, "ended after %d epochs: the last %d were no better on the validation photos\n",
            figures->epochs, options->patience);
  if (options->stage != CAM_TUNE_HEAD && !figures->kept_epoch && figures->val && figures->epochs)
    fprintf(out,
            "training %s was not better on the validation photos than the %s (%.1f %%), which is "
            "kept\n",
            stage, start, 100 * fmax(figures->start_accuracy, 0));
  else if (options->stage != CAM_TUNE_HEAD && !figures->kept_epoch)
    fprintf(out, "no epoch was finished: the %s is kept\n", start);
  else if (figures->kept_epoch)
    fprintf(out, "kept: %s after epoch %d of %d\n", stage, figures->kept_epoch, figures->epochs);
  if (figures->val_accuracy >= 0)
    fprintf(out, "right on %.1f %% of %d validation photos%s\n", 100 * figures->val_accuracy,
            figures->val,
            figures->kept_epoch
                ? ", by which the epoch was chosen: on others it will be a little less"
                : "");
  fflush(out);
}
