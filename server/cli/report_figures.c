/* report_figures.c - report_figures.h: shares, classes and what is taken for what. */
#include "report_figures.h"
#include "cam_minmax.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- shares ---- */

report_share report_share_of(int right, int of) {
  static const double z = 1.959963984540054; /* of the normal distribution: 2.5 % lie above */
  report_share share = {right, of, 0, 1};
  if (!of)
    return share;
  const double n = of, p = right / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n),
               half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
  if (right)
    share.low = fmax(0, middle - half);
  if (right < of)
    share.high = fmin(1, middle + half);
  return share;
}

double report_share_value(const report_share *share) {
  if (!share->of)
    return 0;
  return (double)share->right / share->of;
}

/* ---- classes ---- */

/* Of all the model's classes. */
typedef struct class_counts {
  int photos, given, right;
} class_counts;

static void count_photos_of(const report_answers *answers, class_counts *counts,
                            report_figures *out) {
  int right = 0, top = 0;
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (photo->error.code)
      continue;
    const bool is_right = photo->given == photo->class_id;
    counts[photo->class_id].photos++;
    counts[photo->given].given++;
    counts[photo->given].right += is_right;
    right += is_right;
    top += photo->rank <= REPORT_TOP;
  }
  out->accuracy = report_share_of(right, answers->n_read);
  out->top = report_share_of(top, answers->n_read);
}

static bool list_classes(const report_answers *answers, const class_counts *counts,
                         report_figures *out) {
  double recalls = 0;
  int with_photos = 0;
  for (int c = 0; c < answers->classes; c++) {
    out->n_classes += counts[c].photos || counts[c].given;
    if (counts[c].photos > counts[out->largest_class].photos)
      out->largest_class = c;
  }
  out->classes = calloc((size_t)out->n_classes + 1, sizeof *out->classes);
  if (!out->classes)
    return false;
  report_class *row = out->classes;
  for (int c = 0; c < answers->classes; c++) {
    if (!counts[c].photos && !counts[c].given)
      continue;
    *row = (report_class){c, report_share_of(counts[c].right, counts[c].photos),
                          report_share_of(counts[c].right, counts[c].given)};
    recalls += report_share_value(&row->recall);
    with_photos += counts[c].photos > 0;
    row++;
  }
  out->mean_recall = recalls / max_int(1, with_photos);
  out->largest = report_share_of(counts[out->largest_class].photos, answers->n_read);
  return true;
}

/* ---- what is taken for what ---- */

static int compare_pair_classes(const void *a, const void *b) {
  const report_pair *p = a, *q = b;
  if (p->class_id != q->class_id)
    return p->class_id - q->class_id;
  return p->given - q->given;
}

static int compare_frequency(const void *a, const void *b) {
  const report_pair *p = a, *q = b;
  if (p->photos != q->photos)
    return q->photos - p->photos;
  return compare_pair_classes(a, b);
}

static bool list_pairs(const report_answers *answers, report_figures *out) {
  const int wrong = out->accuracy.of - out->accuracy.right;
  report_pair *pairs = calloc((size_t)wrong + 1, sizeof *pairs);
  if (!pairs)
    return false;
  int n = 0;
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (!photo->error.code && photo->given != photo->class_id)
      pairs[n++] = (report_pair){photo->class_id, photo->given, 1};
  }
  qsort(pairs, (size_t)n, sizeof *pairs, compare_pair_classes);
  for (int i = 0; i < n; i++) {
    report_pair *last = &pairs[max_int(0, out->n_pairs - 1)];
    if (out->n_pairs && !compare_pair_classes(last, &pairs[i]))
      last->photos++;
    else
      pairs[out->n_pairs++] = pairs[i];
  }
  qsort(pairs, (size_t)out->n_pairs, sizeof *pairs, compare_frequency);
  out->pairs = pairs;
  return true;
}

/* ---- all of it ---- */

bool report_figures_make(const report_answers *answers, const cam_model_info *model,
                         report_figures *out) {
  *out = (report_figures){0};
  class_counts *counts = calloc((size_t)answers->classes, sizeof *counts);
  if (!counts)
    return false;
  count_photos_of(answers, counts, out);
  const bool made = list_classes(answers, counts, out) && list_pairs(answers, out) &&
                    report_sureness(answers, model, out);
  free(counts);
  return made;
}

bool report_fitted_to_these(const report_figures *figures) {
  return figures->stored && figures->fitted &&
         fabs(figures->at_stored.temperature / figures->at_best.temperature - 1) < 0.002;
}

void report_figures_free(report_figures *figures) {
  free(figures->classes);
  free(figures->pairs);
  *figures = (report_figures){0};
}
