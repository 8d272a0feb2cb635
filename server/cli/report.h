/* report.h - what a model says of photos whose classes are known, for people: its figures, and a
 * folder with a page, the figures as JSON and a line for each photo. `camserve evaluate` and
 * `camserve finetune` write it. Flow: evaluation.h -> [report] -> report_figures.h -> words, JSON,
 * CSV, page. Implemented in server/cli/report_words.c, report_json.c and report_csv.c; the page in
 * report_page.c. Thread: main. */
#ifndef REPORT_H
#define REPORT_H
#include "report_figures.h"
#include <stdio.h>

/* One more pass over the training photos, or the part of it since the line before. */
typedef struct report_epoch {
  int number;                               /* from 1 */
  double loss, cross_entropy, weight_decay; /* means over the batches; loss is the sum of both */
  double train, val; /* shares of photos that are right; below 0: not known */
  double seconds;
} report_epoch;

/* How good the model is when it learns from fewer photos. */
typedef struct report_size {
  int photos_per_class;
  report_share accuracy;
} report_size;

typedef struct report {
  const cam_model_info *model;
  const char *data; /* what the photos are called on the command line */
  report_answers answers;
  bool mirrored; /* of two classes: each map is the other one's negative */
  /* What training tells; none: not said. Of several epochs the one that is kept was chosen by these
   * photos. */
  const report_epoch *epochs;
  int n_epochs;
  const report_size *sizes;
  int n_sizes;
} report;

/* Figures for people who look at a terminal. */
void report_print(FILE *out, const report *about, const report_figures *figures);
/* report.json, and what the page knows: for free(); NULL: no memory. */
char *report_json(const report *about, const report_figures *figures, bool compact);
/* predictions.csv (RFC 4180): a line for each photo, those that could not be read too. */
void report_csv(FILE *out, const report *about);

#endif
