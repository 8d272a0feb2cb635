/* finetune_report.c - finetune_report.h. */
#include "finetune_report.h"
#include "cli.h"
#include "evaluation.h"
#include <stdlib.h>
#include <string.h>

/* Room for one more element; NULL: there is none, and the list is as it was. */
static void *one_more(void *list, int n, size_t size) {
  return realloc(list, (size_t)(n + 1) * size);
}

bool finetune_report_add_epoch(finetune_report *to, const report_epoch *epoch) {
  report_epoch *epochs = one_more(to->epochs, to->n_epochs, sizeof *epochs);
  if (!epochs)
    return false;
  to->epochs = epochs;
  epochs[to->n_epochs++] = *epoch;
  return true;
}

bool finetune_report_add_size(finetune_report *to, const report_size *size) {
  report_size *sizes = one_more(to->sizes, to->n_sizes, sizeof *sizes);
  if (!sizes)
    return false;
  to->sizes = sizes;
  sizes[to->n_sizes++] = *size;
  return true;
}

/* A model at work, and what it says. */
typedef struct tuned_report {
  cam_model *model;
  cam_context *context;
  evaluation_terms terms;
  report about;
  report_figures figures;
} tuned_report;

static cam_code open_tuned(tuned_report *t, const finetune_report *from, cam_error *error) {
  const int threads = config_threads(from->settings);
  const cam_limits limits = config_limits(from->settings);
  cam_code code = cam_model_load(from->model, NULL, &t->model, error);
  if (!code)
    code = cam_context_create(t->model, threads, &limits, &t->context, error);
  if (code)
    return code;
  const cam_model_info *info = cam_model_get_info(t->model);
  t->about = (report){.model = info,
                      .data = from->data,
                      .epochs = from->epochs,
                      .n_epochs = from->n_epochs,
                      .sizes = from->sizes,
                      .n_sizes = from->n_sizes};
  t->terms = evaluation_terms_of(info, t->context, threads, (size_t)from->settings->max_body_bytes);
  t->terms.params.resize = from->resize;
  t->terms.silent = true;
  return CAM_OK;
}

static cam_code write_tuned(tuned_report *t, finetune_report *from, const photoset *set, FILE *out,
                            cam_error *error) {
  cam_code code = report_answers_take(&t->about.answers, set, PART_VAL, t->about.model, error);
  if (!code)
    code = report_make(&t->terms, &t->about, &from->folder, &t->figures, error);
  if (!code)
    report_print(out, &t->about, &t->figures);
  return code;
}

cam_code finetune_report_write(finetune_report *from, const photoset *set, FILE *out,
                               cam_error *error) {
  tuned_report t = {0};
  cam_code code = open_tuned(&t, from, error);
  if (!code)
    code = write_tuned(&t, from, set, out, error);
  report_figures_free(&t.figures);
  report_answers_free(&t.about.answers);
  cam_context_free(t.context);
  cam_model_free(t.model);
  return code;
}

void finetune_report_drop(finetune_report *from) {
  report_folder_drop(&from->folder);
  free(from->epochs);
  free(from->sizes);
}
