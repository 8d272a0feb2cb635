/* explain_run.c - explain_run.h. Flow: take -> work -> leave, the steps of in_order.h. Memory does
 * not grow with the number of photos, but for 48 bytes for each line that --resume finds, and twice
 * that for each photo whose picture becomes a file. */
#include "explain_run.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "cli.h"
#include "in_order.h"
#include "interrupt.h"
#include "wire/file_name.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- taking and saying ---- */

/* Whether a line for this photo is there; each line is for one. */
static bool is_said_already(explain_run *run, const found_photo *found, cam_error *error) {
  if (!run->resume)
    return false;
  char *key = file_name_key(found->path);
  if (!key) {
    cam_fail(error, CAM_E_NO_MEMORY, "no memory for a path");
    return false;
  }
  const bool there = name_set_take(&run->there, key, strlen(key));
  free(key);
  run->skipped += there;
  return there;
}

static bool has_name(name_set *set, const char *name, size_t n) {
  return name_set_take(set, name, n) && name_set_add(set, name, n);
}

/* Two photos may come to one picture, a/x.jpg and ../a/x.jpg below --output-dir: the second one
 * fails. One photo that is named twice does not. */
static void claim_picture(explain_run *run, found_photo *found) {
  char *picture = NULL, *with_photo = NULL;
  int n = -1;
  if (!run->terms.into_files || run->terms.place.file || found->error.code)
    return;
  picture = picture_path(&run->terms.place, found, "");
  if (picture)
    n = asprintf(&with_photo, "%s%c%s", picture, '\0', found->path);
  if (n < 0) {
    cam_fail(&found->error, CAM_E_NO_MEMORY, "no memory for a picture's name");
    free(picture);
    return;
  }
  const bool taken = has_name(&run->pictures, picture, strlen(picture));
  if (taken && !has_name(&run->pictures, with_photo, (size_t)n))
    cam_fail(&found->error, CAM_E_PARAMETER, "its picture %.80s is already another photo's",
             picture);
  if (!taken && (!name_set_add(&run->pictures, picture, strlen(picture)) ||
                 !name_set_add(&run->pictures, with_photo, (size_t)n)))
    cam_fail(&found->error, CAM_E_NO_MEMORY, "no memory for a picture's name");
  free(picture);
  free(with_photo);
}

static bool take_photo(void *closure, void *thing) {
  explain_run *run = closure;
  explained_photo *photo = thing;
  while (!run->stopped && !interrupt_signal()) {
    if (photo_source_next(&run->source, &photo->found, &run->source_error) || !photo->found.path)
      return false;
    if (!is_said_already(run, &photo->found, &run->source_error)) {
      claim_picture(run, &photo->found);
      return true;
    }
    explained_photo_free(photo);
  }
  return false;
}

static void work_on_photo(void *closure, void *thing, cam_context *context) {
  const explain_run *run = closure;
  explained_photo_make(&run->terms, thing, context);
}

static void stop_output(explain_run *run, const char *what) {
  run->stopped = true;
  if (!run->output_errno)
    run->output_errno = errno;
  if (!run->output_error.code)
    cam_fail(&run->output_error, CAM_E_IO, "standard output: %s", what);
}

static void write_text(explain_run *run, const explained_photo *photo) {
  errno = 0;
  if (run->terms.form == FORM_LINE) {
    if (line_file_write(&run->lines, photo->text, photo->n_text, &run->output_error)) {
      run->output_errno = run->lines.why;
      run->stopped = true;
    }
    return;
  }
  if (run->terms.form == FORM_GALLERY) {
    if (gallery_add(&run->gallery, photo->text, photo->n_text, &run->output_error))
      run->stopped = true;
    return;
  }
  FILE *out = stdout;
  if (run->terms.form == FORM_TABLE)
    out = run->table;
  if (run->terms.form == FORM_ITEM && run->said)
    putc(',', out);
  if (fwrite(photo->text, 1, photo->n_text, out) != photo->n_text || ferror(out))
    stop_output(run, strerror(errno));
}

static void say_failure(explain_run *run, const explained_photo *photo, const cam_error *error) {
  run->failed++;
  const bool said_elsewhere = run->terms.form == FORM_LINE || run->terms.form == FORM_GALLERY;
  if (said_elsewhere && run->keep_going)
    return;
  char *name = shown_path(photo->found.path, "standard input");
  fflush(stdout); /* in order, where both go to one terminal */
  progress_clear(&run->progress);
  cli_fail(name, error);
  free(name);
}

/* What has no room for its pictures has none for the next ones either. */
static void stop_for_picture(explain_run *run, const explained_photo *photo) {
  run->output_error = photo->unsaved;
  run->stopped = true;
}

static void say_photo(explain_run *run, const explained_photo *photo) {
  const cam_error *error = &photo->task.error;
  if (photo->unsaved.code && run->terms.place.folder) {
    stop_for_picture(run, photo);
    return;
  }
  if (photo->text)
    write_text(run, photo);
  else if (run->terms.form != FORM_TABLE || !error->code)
    stop_output(run, "no memory for the answer");
  if (photo->seen)
    fputs(photo->seen, run->terms.form == FORM_TABLE ? run->table : stderr);
  if (!error->code && photo->unsaved.code)
    error = &photo->unsaved;
  if (error->code)
    say_failure(run, photo, error);
  run->said++;
  run->files += photo->found.error.code != CAM_E_NOT_FOUND;
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++)
    run->timing.stage_ms[stage] += photo->stage_ms[stage];
  run->timing.total_ms += photo->total_ms;
  progress_step(&run->progress, run->said, run->failed);
}

static void leave_photo(void *closure, void *thing) {
  explain_run *run = closure;
  if (!run->output_error.code)
    say_photo(run, thing);
  explained_photo_free(thing);
}

/* ---- all photos ---- */

/* Photos that overlap took longer together than the clock went: each stage's share of that is
 * kept. */
static void make_wall_times(reply_timing *timing, double wall_ms) {
  const double busy_ms = timing->total_ms;
  for (int stage = 0; stage < CAM_STAGE_COUNT && busy_ms > wall_ms; stage++)
    timing->stage_ms[stage] *= wall_ms / busy_ms;
  timing->total_ms = wall_ms;
}

/* Whether the list is there once more for who opens it again: a pipe's bytes are there once. */
static bool is_list_readable_twice(const explain_run *run) {
  struct stat status;
  return strcmp(run->list, "-") && !fstat(run->source.list.descriptor, &status) &&
         S_ISREG(status.st_mode);
}

/* What can be known of the number of photos before they are explained. */
static void count_photos(explain_run *run) {
  photo_source counted;
  found_photo found;
  cam_error error;
  if (!run->progress.shown || (run->list && !is_list_readable_twice(run)))
    return;
  if (photo_source_open(&counted, run->source.operands, run->source.n_operands, run->list,
                        run->source.list.end, &error))
    return;
  int64_t n = -run->n_there;
  while (!interrupt_signal() && !photo_source_next(&counted, &found, &error) && found.path) {
    free(found.path);
    n++;
  }
  photo_source_close(&counted);
  run->progress.total = n;
}

/* Of a run that prints no table: what became of its photos. */
static void print_count(const explain_run *run) {
  const bool whole = run->terms.form == FORM_GALLERY ||
                     (run->terms.form == FORM_LINE && photo_source_may_have(&run->source, 2));
  if (!whole && !run->progress.shown && !(run->failed && run->keep_going))
    return;
  fprintf(stderr, "camserve: %" PRId64 " photo%s in %.1f s, ", run->said,
          cli_plural((int)min_int64(run->said, 2)), 1e-3 * run->timing.total_ms);
  if (run->resume)
    fprintf(stderr, "%" PRId64 " %s there already, ", run->skipped,
            run->skipped == 1 ? "was" : "were");
  fprintf(stderr, "%" PRId64 " failed\n", run->failed);
}

static void print_passed(photo_source *source) {
  char words[PASSED_WORDS_MAX];
  if (source->passed)
    fprintf(stderr, "camserve: %d file%s passed over: %s camserve's own\n", source->passed,
            cli_plural(source->passed), source->passed == 1 ? "it is" : "they are");
  if (source->others.files)
    fprintf(stderr, "camserve: %" PRId64 " file%s passed over: %s\n", source->others.files,
            cli_plural((int)min_int64(source->others.files, 2)),
            passed_over_words(&source->others, words));
}

static void print_total(explain_run *run) {
  const int64_t explained = run->said - run->failed;
  progress_clear(&run->progress);
  print_passed(&run->source);
  if (run->terms.form != FORM_TABLE) {
    print_count(run);
    return;
  }
  if (!explained)
    return;
  fprintf(run->table, "%" PRId64 " photo%s in %.1f ms:", explained,
          cli_plural((int)min_int64(explained, 2)), run->timing.total_ms);
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++)
    fprintf(run->table, " %s %.1f%s", cam_stage_name((cam_stage)stage), run->timing.stage_ms[stage],
            stage + 1 < CAM_STAGE_COUNT ? "," : "\n");
}

void explain_run_all(explain_run *run, cam_context *context) {
  static const in_order_steps steps = {sizeof(explained_photo), take_photo, work_on_photo,
                                       leave_photo};
  const explain_terms *terms = &run->terms;
  const double begin = clock_seconds();
  int threads = 1;
  if (photo_source_may_have(&run->source, cam_spread_least(context)))
    threads = run->threads;
  if (terms->form == FORM_ITEM && !reply_list_head(stdout, terms->model, terms->request_id))
    stop_output(run, strerror(errno));
  count_photos(run);
  if (!in_order(context, threads, &steps, run))
    cam_fail(&run->output_error, CAM_E_NO_MEMORY, "no memory for %d threads", threads);
  name_set_free(&run->pictures);
  make_wall_times(&run->timing, 1e3 * (clock_seconds() - begin));
  if (terms->form == FORM_ITEM && !run->output_error.code &&
      (!reply_list_tail(stdout, &run->timing) || putchar('\n') == EOF))
    stop_output(run, strerror(errno));
  print_total(run);
  errno = 0;
  if (fflush(stdout) || ferror(stdout))
    stop_output(run, strerror(errno));
}
