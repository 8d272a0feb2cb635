/* explain_photo.c - explain_photo.h. Flow: file -> bytes -> cam_explain -> pictures, text. */
#include "explain_photo.h"
#include "cam_clock.h"
#include "cam_minmax.h"
#include "cli.h"
#include "gallery.h"
#include "interrupt.h"
#include "wire/problem.h"
#include "wire/reply.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LABEL_COLUMNS = 48 };

char *shown_path(const char *path, const char *stream) {
  if (!strcmp(path, "-"))
    path = stream;
  char *out = strdup(path);
  for (char *c = out; c && *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f)
      *c = '?';
  return out;
}

/* ---- pictures ---- */

static const struct {
  unsigned bit;
  const char *kind, *words;
} picture_kinds[] = {{CAM_INCLUDE_OVERLAY, "", "overlay"},
                     {CAM_INCLUDE_HEATMAP, ".heat", "heat map"}};
enum { PICTURE_KINDS = sizeof picture_kinds / sizeof *picture_kinds };

static const cam_bytes *picture_of(const cam_prediction *prediction, int kind) {
  if (picture_kinds[kind].bit == CAM_INCLUDE_OVERLAY)
    return &prediction->overlay;
  return &prediction->heatmap;
}

/* Writes those of the first label; paths[kind] is where, for free(). */
static void save_pictures(const explain_terms *terms, explained_photo *photo,
                          char *paths[PICTURE_KINDS]) {
  const cam_prediction *first = &photo->task.result.predictions[0];
  for (int kind = 0; kind < PICTURE_KINDS && !photo->unsaved.code; kind++) {
    if (!(terms->into_files & picture_kinds[kind].bit))
      continue;
    paths[kind] = picture_path(&terms->place, &photo->found, picture_kinds[kind].kind);
    if (!paths[kind])
      cam_fail(&photo->unsaved, CAM_E_NO_MEMORY, "no memory for a picture's name");
    else
      picture_write(&terms->place, paths[kind], &photo->found, picture_of(first, kind),
                    &photo->unsaved);
  }
}

/* ---- words ---- */

static void print_head(FILE *out, const explained_photo *photo, char *const paths[PICTURE_KINDS]) {
  const cam_result *result = &photo->task.result;
  char *name = shown_path(photo->found.path, "standard input");
  fprintf(out, "%s: %dx%d %s, seen as %dx%d (%s)", name, result->width, result->height,
          cam_format_name(result->format), result->input_width, result->input_height,
          cam_resize_name(result->resize));
  free(name);
  for (int kind = 0; kind < PICTURE_KINDS && !photo->unsaved.code; kind++) {
    if (!paths[kind])
      continue;
    name = shown_path(paths[kind], "standard output");
    fprintf(out, ", %s in %s", picture_kinds[kind].words, name);
    free(name);
  }
}

static void print_box(FILE *out, const cam_box *box) {
  if (box->width)
    fprintf(out, "%d, %d, %dx%d\n", box->x, box->y, box->width, box->height);
  else
    fprintf(out, "none: nothing speaks for it\n");
}

static void print_table(FILE *out, const cam_model_info *model, const cam_result *result) {
  int columns = 0;
  for (int i = 0; i < result->count; i++) {
    int n = (int)strlen(model->class_list[result->predictions[i].class_id].label);
    columns = max_int(columns, min_int(n, LABEL_COLUMNS));
  }
  fprintf(out, "\n%6s  %-*s  %11s  %s\n", "rank", columns, "label", "probability",
          "box (x, y, width x height)");
  for (int i = 0; i < result->count; i++) {
    const cam_prediction *p = &result->predictions[i];
    fprintf(out, "%6d  %-*.*s  %9.2f %%  ", p->rank, columns, columns,
            model->class_list[p->class_id].label, 100.0 * p->probability);
    print_box(out, &p->box);
  }
}

static char *words_of(const explain_terms *terms, const explained_photo *photo,
                      char *const paths[PICTURE_KINDS], size_t *n) {
  char *text = NULL;
  if (photo->task.error.code)
    return NULL;
  FILE *out = open_memstream(&text, n);
  if (!out)
    return NULL;
  print_head(out, photo, paths);
  print_table(out, terms->model, &photo->task.result);
  fclose(out);
  return text;
}

/* ---- what the network sees ---- */

static void print_seen(FILE *out, const explain_terms *terms, const cam_seen *seen) {
  fprintf(out, "what %s sees, as a picture in %s\n", terms->model->name, terms->show_input);
  fprintf(out, "%7s  %-32s %9s %9s %9s\n", "channel", "(pixel - mean) * scale", "least", "mean",
          "most");
  for (int c = 0; c < 3; c++) {
    const cam_seen_channel *channel = &seen->channels[c];
    char formula[64];
    snprintf(formula, sizeof formula, "(%c - %.6g) * %.6g", channel->letter, (double)channel->mean,
             (double)channel->scale);
    fprintf(out, "%7d  %-32s %9.4g %9.4g %9.4g\n", c + 1, formula, (double)channel->least,
            (double)channel->average, (double)channel->most);
  }
}

static void save_seen(const explain_terms *terms, explained_photo *photo, cam_context *context) {
  const picture_place place = {.file = terms->show_input};
  cam_seen seen;
  if (cam_show_input(context, &photo->task, &seen, &photo->unsaved))
    return;
  if (!picture_write(&place, terms->show_input, &photo->found, &seen.picture, &photo->unsaved)) {
    size_t n;
    FILE *out = open_memstream(&photo->seen, &n);
    if (out) {
      print_seen(out, terms, &seen);
      fclose(out);
    }
  }
  free(seen.picture.data);
}

/* ---- JSON ---- */

/* Puts a line's end behind text, which is freed if there is no memory. */
static char *close_line(char *text, size_t *n) {
  char *line = NULL;
  if (text)
    line = realloc(text, *n + 2);
  if (!line) {
    free(text);
    return NULL;
  }
  strcpy(line + *n, "\n");
  ++*n;
  return line;
}

static char *json_of(const explain_terms *terms, explained_photo *photo) {
  reply_timing timing = {.total_ms = photo->total_ms};
  memcpy(timing.stage_ms, photo->stage_ms, sizeof timing.stage_ms);
  photo->task.params = &terms->said;
  const cam_task *task = &photo->task;
  size_t *n = &photo->n_text;
  char own_id[REQUEST_ID_MAX + 1];
  switch (terms->form) {
  case FORM_ITEM:
    return reply_item_text(terms->model, photo->found.path, terms->request_id, task, NULL, n);
  case FORM_LINE:
    request_id_set(own_id, NULL);
    return close_line(reply_item_text(terms->model, photo->found.path, own_id, task, &timing, n),
                      n);
  default:
    if (task->error.code)
      return close_line(problem_text(&task->error, terms->request_id, n), n);
    return close_line(reply_text(terms->model, terms->request_id, task, 1, false, &timing, true, n),
                      n);
  }
}

/* ---- a gallery ---- */

static char *gallery_piece(const explain_terms *terms, explained_photo *photo,
                           const cam_context *context) {
  cam_task *task = &photo->task;
  cam_bytes jpeg = {0};
  if (!task->error.code)
    cam_thumbnail(context, task, GALLERY_SIDE, GALLERY_JPEG_BYTES, &jpeg, &task->error);
  char *text = gallery_photo_text(terms->model, photo->found.path, task, &jpeg, &photo->n_text);
  free(jpeg.data);
  return text;
}

/* ---- one photo ---- */

static cam_code read_found(const explain_terms *terms, const found_photo *found, cam_bytes *out,
                           cam_error *error) {
  const char *path = found->path;
  if (found->standard_input && !interrupt_wait(STDIN_FILENO))
    return cam_fail(error, CAM_E_IO, "interrupted");
  if (!found->standard_input && !strcmp(path, "-")) /* a list may name a file so */
    path = "./-";
  return cli_read(path, terms->max_bytes, out, error);
}

void explained_photo_make(const explain_terms *terms, explained_photo *photo,
                          cam_context *context) {
  const double begin = clock_seconds();
  cam_bytes bytes = {0};
  char *paths[PICTURE_KINDS] = {0};
  photo->task = (cam_task){.params = &terms->params, .error = photo->found.error};
  if (!photo->task.error.code)
    read_found(terms, &photo->found, &bytes, &photo->task.error);
  if (!photo->task.error.code) {
    photo->task.bytes = bytes.data;
    photo->task.n_bytes = bytes.size;
    cam_explain(context, &photo->task, 1, 0, photo->stage_ms);
  }
  photo->total_ms = 1e3 * (clock_seconds() - begin);
  if (!photo->task.error.code)
    save_pictures(terms, photo, paths);
  if (terms->show_input && !photo->task.error.code && !photo->unsaved.code)
    save_seen(terms, photo, context);
  if (terms->form == FORM_TABLE)
    photo->text = words_of(terms, photo, paths, &photo->n_text);
  else if (terms->form == FORM_GALLERY)
    photo->text = gallery_piece(terms, photo, context);
  else
    photo->text = json_of(terms, photo);
  for (int kind = 0; kind < PICTURE_KINDS; kind++)
    free(paths[kind]);
  cam_result_free(&photo->task.result);
  free(bytes.data);
}

void explained_photo_free(explained_photo *photo) {
  free(photo->found.path);
  free(photo->text);
  free(photo->seen);
  photo->found.path = photo->text = photo->seen = NULL;
}
