/* report_words.c - report.h: figures as a table on a terminal. */
#include "cam_minmax.h"
#include "cli.h"
#include "report.h"
#include "shown_name.h"
#include <stdlib.h>
#include <string.h>

enum { CLASS_ROWS = 24, PAIR_ROWS = 10 };

static double percent_of(double share) { return 100 * share; }

/* What a class is called: a label of WordNet lists several names, one's own is one. */
static const char *name_of_class(const report *about, int class_id, char out[SHOWN_NAME_MAX]) {
  const cam_class *its = &about->model->class_list[class_id];
  shown_name(its->label, out);
  if (*its->wnid)
    out[strcspn(out, ",")] = '\0';
  return out;
}

static void print_share(FILE *out, const char *what, const report_share *share) {
  fprintf(out, "%-12s %5.1f %%  %d of %d; 95 %% interval %.1f to %.1f %%\n", what,
          percent_of(report_share_value(share)), share->right, share->of, percent_of(share->low),
          percent_of(share->high));
}

static void print_class_share(FILE *out, const report_share *share, int columns) {
  if (share->of)
    fprintf(out, "  %*.1f %%", columns - 2, percent_of(report_share_value(share)));
  else
    fprintf(out, "  %*s", columns, "-");
}

static int compare_recall(const void *a, const void *b) {
  const report_class *p = a, *q = b;
  const double x = report_share_value(&p->recall), y = report_share_value(&q->recall);
  if (x != y)
    return x < y ? -1 : 1;
  if (p->recall.of != q->recall.of)
    return q->recall.of - p->recall.of;
  return p->class_id - q->class_id;
}

static void print_class_rows(FILE *out, const report *about, const report_class *rows, int n) {
  char name[SHOWN_NAME_MAX];
  int columns = (int)strlen("class");
  for (int i = 0; i < n; i++)
    columns = max_int(columns, shown_name_columns(name_of_class(about, rows[i].class_id, name)));
  fprintf(out, "%-*s  %7s  %8s  %9s\n", columns, "class", "photos", "recall", "precision");
  for (int i = 0; i < n; i++) {
    name_of_class(about, rows[i].class_id, name);
    fprintf(out, "%s%*s  %7d", name, columns - shown_name_columns(name), "", rows[i].recall.of);
    print_class_share(out, &rows[i].recall, 8);
    print_class_share(out, &rows[i].precision, 9);
    putc('\n', out);
  }
}

/* All classes, or those that have photos and are found least often. */
static void print_classes(FILE *out, const report *about, const report_figures *figures) {
  int n = 0;
  report_class *rows = calloc((size_t)figures->n_classes + 1, sizeof *rows);
  if (!rows)
    return;
  const bool all = figures->n_classes <= CLASS_ROWS;
  for (int i = 0; i < figures->n_classes; i++)
    if (all || figures->classes[i].recall.of)
      rows[n++] = figures->classes[i];
  putc('\n', out);
  if (!all) {
    qsort(rows, (size_t)n, sizeof *rows, compare_recall);
    fprintf(out, "of %d classes those of the least recall; --json and --report have all\n", n);
  }
  print_class_rows(out, about, rows, min_int(n, CLASS_ROWS));
  free(rows);
}

static void print_pairs(FILE *out, const report *about, const report_figures *figures) {
  char own[SHOWN_NAME_MAX], given[SHOWN_NAME_MAX];
  const int rows = min_int(figures->n_pairs, PAIR_ROWS);
  if (rows)
    fprintf(out, "\nmost often taken for another\n");
  for (int i = 0; i < rows; i++) {
    const report_pair *pair = &figures->pairs[i];
    fprintf(out, "%7d  %s as %s\n", pair->photos, name_of_class(about, pair->class_id, own),
            name_of_class(about, pair->given, given));
  }
}

static void print_sureness(FILE *out, const report_figures *figures) {
  fprintf(out, "\nhow sure it is and how often it is right differ by %.1f %% on average",
          percent_of(figures->said.error));
  if (figures->stored && !report_fitted_to_these(figures))
    fprintf(out, ",\nby %.1f %% with the temperature in its file, %.2f",
            percent_of(figures->at_stored.error), figures->at_stored.temperature);
  else if (figures->fitted)
    fprintf(out, ",\nby %.1f %% with a temperature of %.2f, on photos that it is not fitted to",
            percent_of(figures->at_best.error), figures->at_best.temperature);
  putc('\n', out);
  for (int t = 0; t < REPORT_TARGETS; t++) {
    const report_cover *cover = &figures->targets[t];
    const bool is_new = !t || cover->photos != figures->targets[t - 1].photos;
    if (is_new && cover->photos && cover->photos < figures->accuracy.of)
      fprintf(out, "if it answers from %.1f %% on: %.1f %% of the photos, of which %.1f %% right\n",
              percent_of((double)cover->least),
              percent_of((double)cover->photos / figures->accuracy.of),
              percent_of(report_share_value(&cover->right)));
  }
}

void report_print(FILE *out, const report *about, const report_figures *figures) {
  const report_answers *answers = &about->answers;
  char name[SHOWN_NAME_MAX];
  fprintf(out, "%s on %d photo%s of %s\n", about->model->name, answers->n_read,
          cli_plural(answers->n_read), about->data);
  if (answers->n > answers->n_read)
    fprintf(out, "%d could not be read, and %s in no figure\n", answers->n - answers->n_read,
            answers->n - answers->n_read == 1 ? "is" : "are");
  putc('\n', out);
  print_share(out, "right", &figures->accuracy);
  if (about->model->classes > REPORT_TOP)
    print_share(out, "among five", &figures->top);
  fprintf(out, "%-12s %5.1f %%  by always saying %s\n", "beside",
          percent_of(report_share_value(&figures->largest)),
          name_of_class(about, figures->largest_class, name));
  print_classes(out, about, figures);
  print_pairs(out, about, figures);
  print_sureness(out, figures);
  if (about->mirrored)
    fputs("\nThe map of each of the two classes is the other one's exact negative.\n", out);
}
