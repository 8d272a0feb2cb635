/* report_page.c - report_page.h. The page is static/report/page.html (one_page.h); a photo in it is
 * what a gallery has of one, with two labels: what it is taken for, and what it is. Those that the
 * model was surest of come first: they are mistakes of the photos' labels as often as the model's.
 */
#include "report_page.h"
#include "cam_minmax.h"
#include "gallery.h"
#include "in_order.h"
#include "interrupt.h"
#include "one_page.h"
#include "progress.h"
#include <stdatomic.h>
#include <stdlib.h>

static const one_page page_of_report = {
    .text = "report/page.html",
    .styles = {"style.css", "gallery/gallery.css", "report/report.css"},
    .scripts = {"heat.js", "colormaps.js", "words.js", "viewer.js", "gallery/tiles.js",
                "gallery/large.js", "report/charts.js", "report/figures.js", "report/report.js"}};

/* Photos that are shown at most; bytes that one has beside its JPEG: for each cell of a map, and
 * for all else. */
enum { MOST_PHOTOS = 1500, CELL_BYTES = 10, OTHER_BYTES = 900, LEAST_JPEG_BYTES = 3000 };

typedef struct showing {
  const evaluation_terms *terms;
  const report *about;
  const report_photo **photos; /* [n] */
  int n, next, done;
  FILE *out;
  size_t share;     /* bytes of the page that a photo may have */
  size_t room;      /* and all that are to come */
  atomic_bool full; /* the next one has no room; told to who takes */
  bool no_memory;
  struct progress progress;
} showing;

typedef struct shown_photo {
  evaluated_photo evaluated;
  const report_photo *asked;
  char *text; /* NULL: no memory, or it is not what it was */
  size_t n_text;
} shown_photo;

/* ---- which, and how large ---- */

static int compare_surest(const void *a, const void *b) {
  const report_photo *p = *(const report_photo *const *)a, *q = *(const report_photo *const *)b;
  if (p->probability != q->probability)
    return p->probability < q->probability ? 1 : -1;
  return p < q ? -1 : 1; /* in the order of the list */
}

static bool list_wrong(showing *all) {
  const report_answers *answers = &all->about->answers;
  all->photos = calloc((size_t)answers->n + 1, sizeof *all->photos);
  if (!all->photos)
    return false;
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (!photo->error.code && photo->given != photo->class_id)
      all->photos[all->n++] = photo;
  }
  qsort(all->photos, (size_t)all->n, sizeof *all->photos, compare_surest);
  all->n = min_int(all->n, MOST_PHOTOS);
  return true;
}

/* Bytes of a JPEG, so that with both maps it takes its share; base64 makes 4 bytes of 3. */
static size_t jpeg_bytes_of(const showing *all, const cam_result *result) {
  const size_t cells = (size_t)result->map_width * (size_t)result->map_height,
               beside = OTHER_BYTES + 2 * CELL_BYTES * cells;
  if (all->share < beside)
    return LEAST_JPEG_BYTES;
  return min_size(max_size(LEAST_JPEG_BYTES, (all->share - beside) / 4 * 3), GALLERY_JPEG_BYTES);
}

/* ---- the steps of in_order.h ---- */

static bool take_wrong(void *closure, void *thing) {
  showing *all = closure;
  shown_photo *photo = thing;
  if (all->next == all->n || all->full || interrupt_signal())
    return false;
  photo->asked = all->photos[all->next++];
  return true;
}

static void show_wrong(void *closure, void *thing, cam_context *context) {
  const showing *all = closure;
  shown_photo *photo = thing;
  evaluated_photo *seen = &photo->evaluated;
  cam_bytes jpeg = {0};
  evaluated_photo_make(all->terms, photo->asked, 0, context, seen);
  if (!seen->task.error.code)
    cam_thumbnail(context, &seen->task, GALLERY_SIDE, jpeg_bytes_of(all, &seen->task.result), &jpeg,
                  &seen->task.error);
  photo->text = gallery_photo_text(all->about->model, photo->asked->path, &seen->task, &jpeg,
                                   &photo->n_text);
  free(jpeg.data);
}

static void leave_wrong(void *closure, void *thing) {
  showing *all = closure;
  shown_photo *photo = thing;
  const cam_task *task = &photo->evaluated.task;
  const bool has_two = !task->error.code && task->result.count == 2;
  if (!photo->text)
    all->no_memory = true;
  else if (photo->n_text > all->room)
    all->full = true;
  else if (has_two && !all->full) /* else the file has changed */
    all->room -= fwrite(photo->text, 1, photo->n_text, all->out);
  progress_step(&all->progress, ++all->done, 0);
  evaluated_photo_free(&photo->evaluated);
  free(photo->text);
}

static cam_code show_all(showing *all, cam_error *error) {
  static const in_order_steps steps = {sizeof(shown_photo), take_wrong, show_wrong, leave_wrong};
  int threads = 1;
  if (all->n >= cam_spread_least(all->terms->context))
    threads = all->terms->threads;
  progress_begin(&all->progress, true);
  all->progress.total = all->n;
  const bool begun = in_order(all->terms->context, threads, &steps, all);
  progress_clear(&all->progress);
  if (!begun || all->no_memory)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the report's photos");
  if (interrupt_signal())
    return cam_fail(error, CAM_E_DEADLINE, "interrupted");
  return CAM_OK;
}

/* ---- the page ---- */

static bool begin_report(FILE *out, const report *about, const report_figures *figures) {
  char *json = report_json(about, figures, true);
  const bool begun = one_page_begin(out, &page_of_report, json);
  free(json);
  return begun;
}

cam_code report_page(FILE *out, const evaluation_terms *terms, const report *about,
                     const report_figures *figures, cam_error *error) {
  showing all = {.terms = terms, .about = about, .out = out};
  cam_code code = CAM_OK;
  if (!begin_report(out, about, figures) || !list_wrong(&all))
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for the report");
  const long taken = ftell(out) + 1000; /* what follows the photos has fewer */
  if (!code && taken < REPORT_PAGE_BYTES)
    all.room = (size_t)(REPORT_PAGE_BYTES - taken);
  all.share = all.room / (size_t)max_int(1, all.n);
  if (!code)
    code = show_all(&all, error);
  if (!code)
    one_page_end(out, &page_of_report);
  free(all.photos);
  return code;
}

/* ---- the folder ---- */

static cam_code write_figures(const report_folder *folder, const report *about,
                              const report_figures *figures, cam_error *error) {
  char *json = report_json(about, figures, false);
  if (!json)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the report");
  FILE *file = report_folder_create(folder, "report.json", error);
  if (file)
    fprintf(file, "%s\n", json);
  free(json);
  return report_folder_close(folder, file, error);
}

static cam_code write_lines(const report_folder *folder, const report *about, cam_error *error) {
  FILE *file = report_folder_create(folder, "predictions.csv", error);
  if (file)
    report_csv(file, about);
  return report_folder_close(folder, file, error);
}

static cam_code write_report(const report_folder *folder, const evaluation_terms *terms,
                             const report *about, const report_figures *figures, cam_error *error) {
  cam_code code = write_figures(folder, about, figures, error);
  if (!code)
    code = write_lines(folder, about, error);
  if (code)
    return code;
  FILE *file = report_folder_create(folder, "index.html", error);
  if (file)
    code = report_page(file, terms, about, figures, error);
  if (!file || !code)
    return report_folder_close(folder, file, error);
  fclose(file);
  return code;
}

cam_code report_make(const evaluation_terms *terms, report *about, report_folder *folder,
                     report_figures *figures, cam_error *error) {
  *figures = (report_figures){0};
  if (evaluate_photos(terms, about, error))
    return error->code;
  if (!report_figures_make(&about->answers, about->model, figures))
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the figures");
  if (!folder->begun)
    return CAM_OK;
  cam_code code = write_report(folder, terms, about, figures, error);
  if (!code)
    code = report_folder_finish(folder, error);
  return code;
}
