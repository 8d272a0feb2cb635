/* cli_explain.c - camserve explain: photos in files -> a table and overlays beside them, or the
 * JSON of POST /cam. Flow: read up to eight -> cam_explain -> print and save each -> free. Memory
 * does not grow with the number of photos. Thread: main. */
#include "cam_clock.h"
#include "cam_encoding.h"
#include "cam_minmax.h"
#include "cli.h"
#include "wire/problem.h"
#include "wire/reply.h"
#include "wire/request_id.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON, OUTPUT, SHOW_INPUT }; /* rows of its options in server/cli/main.c */
enum { LABEL_COLUMNS = 48 };

typedef struct session {
  const cli *arguments;
  const cam_model_info *model;
  cam_context *context;
  request_params params;
  FILE *table;        /* where people read; the overlay may take standard output */
  const char *output; /* -o, or NULL */
  char request_id[REQUEST_ID_MAX + 1];
  reply_timing timing; /* sums over all photos */
  int printed, failed; /* photos */
  bool broken;         /* standard output could not be written */
} session;

/* ---- overlays ---- */

/* Length of a path without its extension. */
static size_t stem_length(const char *path) {
  const char *slash = strrchr(path, '/'), *base = path;
  if (slash)
    base = slash + 1;
  const char *dot = strrchr(base, '.');
  if (!dot || dot == base)
    return strlen(path);
  return (size_t)(dot - path);
}

/* "cat.jpg" -> "cat.cam.png"; but "cat.jpg.cam.png" where cat.png is explained too. For free(). */
static char *overlay_path(const session *s, const char *photo) {
#define X(id, name, extension, type) extension,
  static const char *const extensions[] = {CAM_PICTURES(X)};
#undef X
  if (s->output)
    return strdup(s->output);
  if (!strcmp(photo, "-"))
    photo = "stdin";
  size_t n = stem_length(photo);
  for (int i = 0; i < s->arguments->n_operands; i++) {
    const char *other = s->arguments->operands[i];
    if (!strncmp(other, photo, n) && stem_length(other) == n && strcmp(other, photo))
      n = strlen(photo);
  }
  char *path;
  if (asprintf(&path, "%.*s.cam.%s", (int)n, photo, extensions[s->params.cam.picture]) < 0)
    return NULL;
  return path;
}

/* what: "overlay", for errors. */
static cam_code write_file(const char *what, const char *path, const void *bytes, size_t n,
                           cam_error *error) {
  FILE *file = stdout;
  if (strcmp(path, "-"))
    file = fopen(path, "wbe");
  if (!file)
    return cam_fail(error, CAM_E_IO, "%s %.100s cannot be written: %s", what, path,
                    strerror(errno));
  bool written = fwrite(bytes, 1, n, file) == n && !fflush(file);
  int why = errno;
  if (file != stdout && fclose(file) && written) {
    written = false;
    why = errno;
  }
  if (!written)
    return cam_fail(error, CAM_E_IO, "%s %.100s cannot be written: %s", what, path, strerror(why));
  return CAM_OK;
}

/* Writes the first label's overlay, which may be a JSON string of base64. */
static cam_code save_overlay(const session *s, const char *path, const cam_bytes *overlay,
                             cam_error *error) {
  if (!s->params.cam.base64)
    return write_file("overlay", path, overlay->data, overlay->size, error);
  size_t n;
  uint8_t *bytes = malloc(overlay->size / 4 * 3 + 3);
  if (!bytes)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for an overlay of %zu bytes", overlay->size);
  cam_code code = CAM_OK;
  if (cam_base64_decode((const char *)overlay->data + 1, overlay->size - 2, bytes, &n))
    code = write_file("overlay", path, bytes, n, error);
  else
    code = cam_fail(error, CAM_E_INTERNAL, "the overlay is not base64");
  free(bytes);
  return code;
}

/* ---- one photo said ---- */

/* "-" by another name, where people read. */
static const char *shown(const char *path, const char *stream) {
  return strcmp(path, "-") ? path : stream;
}

static void print_box(FILE *out, const cam_box *box) {
  if (box->width)
    fprintf(out, "%d, %d, %dx%d\n", box->x, box->y, box->width, box->height);
  else
    fprintf(out, "none: nothing speaks for it\n");
}

static void print_table(const session *s, const char *photo, const cam_result *result,
                        const char *overlay) {
  int columns = 0;
  for (int i = 0; i < result->count; i++) {
    int n = (int)strlen(s->model->class_list[result->predictions[i].class_id].label);
    columns = max_int(columns, min_int(n, LABEL_COLUMNS));
  }
  fprintf(s->table, "%s: %dx%d %s, seen as %dx%d (%s)", shown(photo, "standard input"),
          result->width, result->height, cam_format_name(result->format), result->input_width,
          result->input_height, cam_resize_name(result->resize));
  if (overlay)
    fprintf(s->table, ", overlay in %s", shown(overlay, "standard output"));
  fprintf(s->table, "\n%6s  %-*s  %11s  %s\n", "rank", columns, "label", "probability",
          "box (x, y, width x height)");
  for (int i = 0; i < result->count; i++) {
    const cam_prediction *p = &result->predictions[i];
    fprintf(s->table, "%6d  %-*.*s  %9.2f %%  ", p->rank, columns, columns,
            s->model->class_list[p->class_id].label, 100.0 * p->probability);
    print_box(s->table, &p->box);
  }
}

static void print_json(session *s, const cam_task *task) {
  if (s->arguments->n_operands > 1) {
    s->broken |= !reply_list_item(stdout, s->model, s->request_id, task, !s->printed);
    return;
  }
  char *text;
  if (task->error.code)
    text = problem_text(&task->error, s->request_id, NULL);
  else
    text = reply_text(s->model, s->request_id, task, 1, false, &s->timing, true, NULL);
  s->broken |= !text || puts(text) == EOF;
  free(text);
}

static void say(session *s, const char *photo, const cam_task *task) {
  bool as_json = s->arguments->options[JSON] != NULL;
  cam_error error = task->error;
  char *path = NULL;
  if (!error.code && (s->params.cam.include & CAM_INCLUDE_OVERLAY) && (!as_json || s->output)) {
    path = overlay_path(s, photo);
    if (!path)
      cam_fail(&error, CAM_E_NO_MEMORY, "no memory for the overlay's name");
    else
      save_overlay(s, path, &task->result.predictions[0].overlay, &error);
  }
  if (as_json)
    print_json(s, task);
  else if (!task->error.code)
    print_table(s, photo, &task->result, error.code ? NULL : path);
  if (error.code) {
    fflush(stdout); /* in order, where both go to one terminal */
    cli_fail(shown(photo, "standard input"), &error);
    s->failed++;
  }
  s->printed++;
  free(path);
}

/* ---- what the network sees ---- */

static void print_seen(const session *s, const cam_seen *seen, const char *path) {
  FILE *out = s->arguments->options[JSON] ? stderr : s->table;
  fprintf(out, "what %s sees, as a picture in %s\n", s->model->name, path);
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

static void show_input(session *s, const char *photo, const cam_task *task) {
  const char *path = s->arguments->options[SHOW_INPUT];
  cam_error error = {0};
  cam_seen seen;
  cam_code code = cam_show_input(s->context, task, &seen, &error);
  if (!code)
    code = write_file("picture", path, seen.picture.data, seen.picture.size, &error);
  if (!code)
    print_seen(s, &seen, path);
  free(seen.picture.data);
  if (!code)
    return;
  fflush(stdout);
  cli_fail(shown(photo, "standard input"), &error);
  s->failed++;
}

/* ---- all photos ---- */

/* At most CAM_MAX_TASKS photos: those that can be read are explained together. */
static void explain_some(session *s, char *const *photos, int n) {
  cam_bytes bytes[CAM_MAX_TASKS];
  cam_task tasks[CAM_MAX_TASKS], unread[CAM_MAX_TASKS];
  const cam_task *said[CAM_MAX_TASKS];
  double stage_ms[CAM_STAGE_COUNT] = {0}, begin = 1e3 * clock_seconds();
  int n_tasks = 0;
  for (int i = 0; i < n; i++) {
    unread[i] = (cam_task){.params = &s->params.cam};
    if (cli_read(photos[i], (size_t)s->arguments->config.max_body_bytes, &bytes[i],
                 &unread[i].error)) {
      said[i] = &unread[i];
      continue;
    }
    tasks[n_tasks] = (cam_task){
        .bytes = bytes[i].data, .n_bytes = bytes[i].size, .params = &s->params.cam};
    said[i] = &tasks[n_tasks++];
  }
  if (n_tasks)
    cam_explain(s->context, tasks, n_tasks, 0, stage_ms);
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++)
    s->timing.stage_ms[stage] += stage_ms[stage];
  s->timing.total_ms += 1e3 * clock_seconds() - begin;
  for (int i = 0; i < n; i++)
    say(s, photos[i], said[i]);
  if (s->arguments->options[SHOW_INPUT] && n_tasks && !tasks[0].error.code)
    show_input(s, photos[0], &tasks[0]);
  for (int i = 0; i < n_tasks; i++)
    cam_result_free(&tasks[i].result);
  for (int i = 0; i < n; i++)
    free(bytes[i].data);
}

static void explain_all(session *s) {
  const cli *arguments = s->arguments;
  bool list = arguments->options[JSON] && arguments->n_operands > 1;
  if (list)
    s->broken |= !reply_list_head(stdout, s->model, s->request_id);
  for (int i = 0; i < arguments->n_operands && !s->broken; i += CAM_MAX_TASKS) {
    int left = arguments->n_operands - i;
    explain_some(s, arguments->operands + i, min_int(left, CAM_MAX_TASKS));
  }
  if (list)
    s->broken |= !reply_list_tail(stdout, &s->timing) || putchar('\n') == EOF;
  if (arguments->options[JSON] || s->printed == s->failed)
    return;
  const int explained = s->printed - s->failed;
  fprintf(s->table, "%d photo%s in %.1f ms:", explained, cli_plural(explained), s->timing.total_ms);
  for (int stage = 0; stage < CAM_STAGE_COUNT; stage++)
    fprintf(s->table, " %s %.1f%s", cam_stage_name((cam_stage)stage), s->timing.stage_ms[stage],
            stage + 1 < CAM_STAGE_COUNT ? "," : "\n");
}

/* What the flags of this command forbid together. */
static cam_code check_usage(const session *s, cam_error *error) {
  const cli *arguments = s->arguments;
  int n_stdin = 0;
  for (int i = 0; i < arguments->n_operands; i++)
    n_stdin += !strcmp(arguments->operands[i], "-");
  if (n_stdin > 1)
    return cam_fail(error, CAM_E_PARAMETER,
                    "\"-\" (standard input) is given %d times; allowed is once", n_stdin);
  if (arguments->options[SHOW_INPUT] && arguments->n_operands > 1)
    return cam_fail(error, CAM_E_PARAMETER, "--show-input: takes one photo, not %d",
                    arguments->n_operands);
  if (arguments->options[SHOW_INPUT] && !strcmp(arguments->options[SHOW_INPUT], "-"))
    return cam_fail(error, CAM_E_PARAMETER, "--show-input: takes the name of a file, not \"-\"");
  if (!s->output)
    return CAM_OK;
  if (arguments->n_operands > 1)
    return cam_fail(error, CAM_E_PARAMETER,
                    "-o: takes one photo, not %d; without it each overlay is NAME.cam.png",
                    arguments->n_operands);
  if (!(s->params.cam.include & CAM_INCLUDE_OVERLAY))
    return cam_fail(error, CAM_E_PARAMETER, "-o: --include leaves the overlay out");
  if (arguments->options[JSON] && !strcmp(s->output, "-"))
    return cam_fail(error, CAM_E_PARAMETER,
                    "-o -: standard output has the JSON already; name a file");
  return CAM_OK;
}

int cli_explain(const cli *arguments) {
  session s = {.arguments = arguments, .output = arguments->options[OUTPUT], .table = stdout};
  cam_model *model = NULL;
  cam_error error = {0};
  cam_limits limits = config_limits(&arguments->config);
  int exit_code = EXIT_DONE;
  if (s.output && !strcmp(s.output, "-"))
    s.table = stderr;
  if (cli_load(&arguments->config, &model, &error) ||
      cli_params(arguments, model, &s.params, &error) || check_usage(&s, &error) ||
      cam_context_create(model, config_threads(&arguments->config), &limits, &s.context, &error)) {
    exit_code = cli_fail(NULL, &error);
  } else {
    s.model = cam_model_get_info(model);
    s.params.cam.base64 = arguments->options[JSON] != NULL;
    request_id_set(s.request_id, NULL);
    explain_all(&s);
    if (s.failed)
      exit_code = EXIT_FAILED;
    if (s.broken) {
      cam_fail(&error, CAM_E_IO, "the answer cannot be written to standard output");
      exit_code = cli_fail(NULL, &error);
    }
  }
  cam_context_free(s.context);
  cam_model_free(model);
  return exit_code;
}
