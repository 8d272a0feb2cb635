/* report_sureness.c - report_figures.h: how true a model's probabilities are, and how many photos
 * it may answer if it leaves out those that it is least sure of. A temperature that is fitted to
 * photos makes itself look better on them than on others: what is told of it is measured on one
 * half of the photos with the temperature of the other half. Halves are every other photo, so that
 * each has about as many of each class. */
#include "cam_minmax.h"
#include "cam_temperature.h"
#include "report_figures.h"
#include <math.h>
#include <stdlib.h>

/* Of fewer photos a temperature says nothing. */
enum { LEAST_FITTED = 20 };

const double report_targets[REPORT_TARGETS] = {0.9, 0.95, 0.99};

/* ---- how true the probabilities are ---- */

typedef struct sure_photo {
  double probability; /* that the model gives to what it says */
  int index;          /* of the photo */
  bool right;
} sure_photo;

static void add_to_bin(report_calibration *out, double probability, bool right) {
  report_bin *bin = &out->bins[clamp_int((int)(probability * REPORT_BINS), 0, REPORT_BINS - 1)];
  bin->photos++;
  bin->right += right;
  bin->probability += probability; /* the sum as yet */
}

static void settle_bins(report_calibration *out, int photos) {
  for (int b = 0; b < REPORT_BINS; b++) {
    report_bin *bin = &out->bins[b];
    if (!bin->photos)
      continue;
    out->error += fabs(bin->right - bin->probability) / photos;
    bin->probability /= bin->photos;
  }
  out->cross_entropy /= photos;
}

/* Probabilities as the model says them: a sigmoid's, too. */
static void calibrate_said(const report_answers *answers, report_calibration *out) {
  *out = (report_calibration){.temperature = 1};
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (photo->error.code)
      continue;
    add_to_bin(out, (double)photo->probability, photo->given == photo->class_id);
    out->cross_entropy -= log(fmax((double)photo->of_class, 1e-38));
  }
  settle_bins(out, answers->n_read);
}

/* Those of softmax, of even photos under the one temperature and of odd ones under the other. */
static void calibrate_at(const report_answers *answers, double even, double odd,
                         report_calibration *out) {
  const int classes = answers->classes;
  int row = 0;
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (photo->error.code)
      continue;
    const double temperature = row % 2 ? odd : even;
    const float *logits = answers->logits + (size_t)row * (size_t)classes;
    add_to_bin(out, cam_tempered(logits, classes, photo->given, temperature),
               photo->given == photo->class_id);
    out->cross_entropy += cam_cross_entropy(logits, classes, photo->class_id, temperature);
    row++;
  }
  settle_bins(out, answers->n_read);
}

static double fit_half(const report_answers *answers, int first, double otherwise) {
  const cam_logits half = {.n = (answers->n_read + 1 - first) / 2,
                           .classes = answers->classes,
                           .stride = 2,
                           .values = answers->logits + (size_t)first * (size_t)answers->classes,
                           .labels = answers->labels + first};
  const double temperature = cam_fit_temperature(&half);
  if (temperature > 0)
    return temperature;
  return otherwise;
}

static void calibrate_sureness(const report_answers *answers, const cam_model_info *model,
                               report_figures *out) {
  calibrate_said(answers, &out->said);
  if (model->probability != CAM_SOFTMAX)
    return;
  const cam_logits all = {answers->n_read, answers->classes, 1, answers->logits, answers->labels};
  const double best = cam_fit_temperature(&all);
  out->fitted = answers->n_read >= LEAST_FITTED && best > CAM_TEMPERATURE_LEAST * 1.001 &&
                best < CAM_TEMPERATURE_MOST / 1.001;
  if (out->fitted) {
    out->at_best.temperature = best;
    calibrate_at(answers, fit_half(answers, 1, best), fit_half(answers, 0, best), &out->at_best);
  }
  out->stored = model->temperature > 0;
  if (out->stored) {
    out->at_stored.temperature = (double)model->temperature;
    calibrate_at(answers, out->at_stored.temperature, out->at_stored.temperature, &out->at_stored);
  }
}

/* ---- what is right when the least certain are left unanswered ---- */

static int compare_sure(const void *a, const void *b) {
  const sure_photo *p = a, *q = b;
  if (p->probability != q->probability)
    return p->probability < q->probability ? 1 : -1;
  return p->index - q->index;
}

static report_cover cover_of(const sure_photo *sure, int photos, int right) {
  return (report_cover){photos, (float)sure[photos - 1].probability,
                        report_share_of(right, photos)};
}

/* Photos that are as sure as each other are answered together. */
static void find_targets(const sure_photo *sure, int n, report_figures *out) {
  for (int i = 0, right = 0; i < n; i++) {
    right += sure[i].right;
    if (i + 1 < n && sure[i + 1].probability >= sure[i].probability)
      continue;
    for (int t = 0; t < REPORT_TARGETS; t++)
      if (right >= report_targets[t] * (i + 1))
        out->targets[t] = cover_of(sure, i + 1, right);
  }
}

static void find_covers(const sure_photo *sure, int n, report_figures *out) {
  int right = 0, answered = 0;
  for (int step = 1; step <= REPORT_COVERS; step++) {
    const int photos = (int)(((int64_t)n * step + REPORT_COVERS - 1) / REPORT_COVERS);
    if (photos == answered)
      continue;
    for (; answered < photos; answered++)
      right += sure[answered].right;
    out->covers[out->n_covers++] = cover_of(sure, photos, right);
  }
}

bool report_sureness(const report_answers *answers, const cam_model_info *model,
                     report_figures *out) {
  sure_photo *sure = calloc((size_t)answers->n_read + 1, sizeof *sure);
  if (!sure)
    return false;
  int n = 0;
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (!photo->error.code)
      sure[n++] = (sure_photo){(double)photo->probability, i, photo->given == photo->class_id};
  }
  qsort(sure, (size_t)n, sizeof *sure, compare_sure);
  find_covers(sure, n, out);
  find_targets(sure, n, out);
  free(sure);
  calibrate_sureness(answers, model, out);
  return true;
}
