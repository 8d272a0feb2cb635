/* evaluation.c - evaluation.h. Photos pass through the steps of in_order.h; of each the numbers
 * alone are kept: 4 bytes a class, and what report_photo has. */
#include "evaluation.h"
#include "cam_minmax.h"
#include "cli.h"
#include "explain_photo.h"
#include "in_order.h"
#include "interrupt.h"
#include "progress.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

cam_code report_answers_take(report_answers *out, const photoset *set, photo_part part,
                             const cam_model_info *model, cam_error *error) {
  *out = (report_answers){.classes = model->classes};
  const size_t room = (size_t)set->n + 1, row = (size_t)model->classes * sizeof *out->logits;
  out->photos = calloc(room, sizeof *out->photos);
  out->labels = calloc(room, sizeof *out->labels);
  if (!out->photos || !out->labels)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos", set->n);
  for (int i = 0; i < set->n; i++) {
    const labelled_photo *from = &set->photos[i];
    if (part == PART_COUNT || from->part == part)
      out->photos[out->n++] = (report_photo){
          .path = from->path, .class_id = from->class_index, .error = from->error, .given = -1};
  }
  out->logits = calloc((size_t)out->n + 1, row);
  if (!out->logits)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d photos with %d classes", out->n,
                    model->classes);
  return CAM_OK;
}

void report_answers_free(report_answers *answers) {
  free(answers->photos);
  free(answers->logits);
  free(answers->labels);
  *answers = (report_answers){0};
}

/* ---- one photo ---- */

evaluation_terms evaluation_terms_of(const cam_model_info *model, cam_context *context, int threads,
                                     size_t max_bytes) {
  return (evaluation_terms){.context = context,
                            .threads = threads,
                            .max_bytes = max_bytes,
                            .params = cam_default_params,
                            .both = model->classes == 2 && model->method == CAM_METHOD_CAM};
}

void evaluated_photo_make(const evaluation_terms *terms, const report_photo *asked,
                          unsigned include, cam_context *context, evaluated_photo *photo) {
  photo->params = terms->params;
  photo->params.top_k = 1;
  photo->params.n_classes = 1;
  photo->params.classes[0] = asked->class_id;
  if (terms->both) {
    photo->params.n_classes = 2;
    photo->params.classes[1] = 1 - asked->class_id;
  }
  photo->params.scale = CAM_RELU;
  photo->params.include = include;
  photo->task = (cam_task){.params = &photo->params};
  if (cli_read(asked->path, terms->max_bytes, &photo->bytes, &photo->task.error))
    return;
  photo->task.bytes = photo->bytes.data;
  photo->task.n_bytes = photo->bytes.size;
  cam_explain(context, &photo->task, 1, 0, NULL);
}

void evaluated_photo_free(evaluated_photo *photo) {
  cam_result_free(&photo->task.result);
  free(photo->bytes.data);
  photo->bytes = (cam_bytes){0};
}

/* ---- all of them ---- */

typedef struct evaluating {
  const evaluation_terms *terms;
  report *about;
  struct progress progress;
  int next, done, failed;
} evaluating;

static bool take_labelled(void *closure, void *thing) {
  evaluating *all = closure;
  evaluated_photo *photo = thing;
  const report_answers *answers = &all->about->answers;
  if (interrupt_signal())
    return false;
  while (all->next < answers->n && answers->photos[all->next].error.code)
    all->next++;
  photo->index = all->next++;
  return photo->index < answers->n;
}

static void ask_model(void *closure, void *thing, cam_context *context) {
  const evaluating *all = closure;
  evaluated_photo *photo = thing;
  const report_photo *asked = &all->about->answers.photos[photo->index];
  evaluated_photo_make(all->terms, asked, CAM_INCLUDE_PROBABILITIES, context, photo);
}

/* Of two classes: whether one's map is what the other's is with its signs turned, but for
 * rounding. */
static bool is_mirrored(const cam_result *result) {
  double most = 0, away = 0;
  for (int i = 0; i < result->map_width * result->map_height; i++) {
    const double a = (double)result->predictions[0].map[i],
                 b = (double)result->predictions[1].map[i];
    most = fmax(most, fmax(fabs(a), fabs(b)));
    away = fmax(away, fabs(a + b));
  }
  return away <= 1e-3 * most;
}

static void keep_answer(report *about, int index, const cam_result *result) {
  report_answers *answers = &about->answers;
  report_photo *photo = &answers->photos[index];
  const cam_prediction *first = &result->predictions[0], *own = first;
  float *row = answers->logits + (size_t)answers->n_read * (size_t)answers->classes;
  for (int i = 1; i < result->count; i++)
    if (result->predictions[i].class_id == photo->class_id)
      own = &result->predictions[i];
  photo->given = first->class_id;
  photo->rank = own->rank;
  photo->probability = first->probability;
  photo->of_class = own->probability;
  for (int c = 0; c < answers->classes; c++)
    row[c] = logf(max_float(result->probabilities[c], 1e-38F));
  answers->labels[answers->n_read++] = photo->class_id;
  about->mirrored = about->mirrored && is_mirrored(result);
}

static void say_unread(evaluating *all, const report_photo *photo) {
  all->failed++;
  if (all->terms->silent)
    return;
  char *name = shown_path(photo->path, "-");
  progress_clear(&all->progress);
  fprintf(stderr, "camserve: %s: %s; skipped\n", name ? name : "", photo->error.detail);
  free(name);
}

static void leave_labelled(void *closure, void *thing) {
  evaluating *all = closure;
  evaluated_photo *photo = thing;
  report_photo *asked = &all->about->answers.photos[photo->index];
  if (photo->task.error.code) {
    asked->error = photo->task.error;
    say_unread(all, asked);
  } else {
    keep_answer(all->about, photo->index, &photo->task.result);
  }
  evaluated_photo_free(photo);
  progress_step(&all->progress, ++all->done, all->failed);
}

static cam_code check_answers(const evaluating *all, cam_error *error) {
  const report_answers *answers = &all->about->answers;
  if (interrupt_signal())
    return cam_fail(error, CAM_E_DEADLINE, "interrupted");
  if (answers->n_read)
    return CAM_OK;
  return cam_fail(error, CAM_E_NOT_FOUND, "%.80s: none of %d photo%s can be read", all->about->data,
                  answers->n, cli_plural(answers->n));
}

cam_code evaluate_photos(const evaluation_terms *terms, report *about, cam_error *error) {
  static const in_order_steps steps = {sizeof(evaluated_photo), take_labelled, ask_model,
                                       leave_labelled};
  evaluating all = {.terms = terms, .about = about};
  int threads = 1;
  if (about->answers.n >= cam_spread_least(terms->context))
    threads = terms->threads;
  about->mirrored = terms->both;
  progress_begin(&all.progress, true);
  all.progress.total = about->answers.n;
  if (!in_order(terms->context, threads, &steps, &all))
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d threads", threads);
  progress_clear(&all.progress);
  return check_answers(&all, error);
}
