/* convert.c - cam_convert.h: architecture + weights, or a network as ONNX -> joined -> file ->
 * loaded again -> self-test -> file -> renamed. Thread: the caller's, with a team for the reference
 * forward pass. Untrusted input: the weights, the architecture, the network. */
#include "cam_convert.h"
#include "document.h"
#include "join.h"
#include "onnx_join.h"
#include "oracle.h"
#include "report.h"
#include "weights_read.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SELF_TEST_LOGITS = 5, MAX_ARCHITECTURE = 16 << 20, MAX_PATH = 4096 };

static cam_code read_architecture(const cam_convert_options *options, json **out,
                                  cam_error *error) {
  size_t n = 0;
  char *text = document_read_text(options->architecture, MAX_ARCHITECTURE, &n, error);
  if (!text)
    return error->code;
  *out = json_parse(text, n, CAM_E_MODEL, error);
  free(text);
  if (!*out)
    return error->code;
  return CAM_OK;
}

/* Length of a path's folder, its slash included; 0 if it names none. */
static int folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash)
    return 0;
  return (int)(slash - path) + 1;
}

/* ---- the file ---- */

static cam_code write_model_text(const char *path, const joined *model, const char *text,
                                 bool to_disk, cam_error *error) {
  FILE *file = fopen(path, "wb");
  if (!file)
    return cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  cam_code code = safetensors_write(file, model->tensors, model->n_tensors, "camserve", text,
                                    error);
  if (!code && (fflush(file) || (to_disk && fsync(fileno(file)))))
    code = cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  if (fclose(file) && !code)
    code = cam_fail(error, CAM_E_IO, "%.120s: %s", path, strerror(errno));
  return code;
}

/* to_disk: and waits until the disk has it. */
static cam_code write_model(const char *path, const joined *model, bool to_disk, cam_error *error) {
  char *text = json_print(model->document, true, NULL);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the text of the network");
  const cam_code code = write_model_text(path, model, text, to_disk, error);
  free(text);
  return code;
}

/* Gives the file its name, and makes sure that the name survives a power failure. */
static cam_code rename_file(const char *from, const char *to, cam_error *error) {
  if (rename(from, to))
    return cam_fail(error, CAM_E_IO, "%.120s: %s", to, strerror(errno));
  char folder[MAX_PATH] = ".";
  if (folder_length(to))
    snprintf(folder, sizeof folder, "%.*s", folder_length(to), to);
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return CAM_OK; /* a folder that may be written but not read: the file is there */
  fsync(fd);
  close(fd);
  return CAM_OK;
}

/* ---- the self-test ---- */

/* Adds "self_test": {"logits": [[class, logit], ...]}: the largest, in order. */
static void add_self_test(json *document, double *logits, int n) {
  json *list = json_add_array(json_add_object(document, "self_test"), "logits");
  for (int i = 0; i < SELF_TEST_LOGITS && i < n; i++) {
    int best = -1;
    for (int c = 0; c < n; c++)
      if (!isnan(logits[c]) && (best < 0 || logits[c] > logits[best]))
        best = c;
    if (best < 0)
      return;
    json *pair = json_add_array(list, NULL);
    json_add_int(pair, NULL, best);
    json_add_number(pair, NULL, logits[best]);
    logits[best] = NAN; /* taken */
  }
}

/* A map of a few cells says nothing of where. */
static void warn_small_map(const cam_convert_options *options, const cam_graph *graph) {
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  const int plane = graph->nodes[graph->head].inputs[0];
  if (shape && plane >= 0 && !graph_shapes(graph, graph->height, graph->width, shape, NULL) &&
      shape[plane][0] <= 2 && shape[plane][1] <= 2)
    report(options, "warning: the class maps have %d x %d cells: a larger --input shows more",
           shape[plane][1], shape[plane][0]);
  free(shape);
}

/* The reference network's logits for the made picture, which must be finite. */
static cam_code self_test(const cam_convert_options *options, const char *path, json *document,
                          cam_error *error) {
  oracle o;
  cam_code code = oracle_open(path, options->threads, &o, error);
  if (!code) {
    report(options, "self-test: reference forward pass at %d x %d ...", o.graph->width,
           o.graph->height);
    cam_made_input(o.graph, o.picture);
    code = oracle_run(&o, error);
  }
  for (int c = 0; !code && c < o.graph->n_classes; c++)
    if (!isfinite(o.logits[c]))
      code = cam_fail(error, CAM_E_WEIGHTS, "self-test: the logit of class %d is not finite", c);
  if (!code) {
    add_self_test(document, o.logits, o.graph->n_classes);
    warn_small_map(options, o.graph);
  }
  oracle_close(&o);
  return code;
}

/* ---- all of it ---- */

static void report_unused(const cam_convert_options *options, const json *architecture,
                          const weights *all) {
  for (int i = 0; i < all->n; i++) {
    char shape[96];
    if (all->list[i].used || join_ignores(architecture, all->list[i].name))
      continue;
    number_shape_text(&all->list[i].view, shape);
    report(options, "not used: tensor %s %s", all->list[i].name, shape);
  }
}

static cam_code join_read(const cam_convert_options *options, const json *architecture,
                          weights *all, joined *out, cam_error *error) {
  char labels[MAX_PATH];
  report(options, "reading %s: %s, %d tensors", options->weights, all->format, all->n);
  snprintf(labels, sizeof labels, "%.*s../labels", folder_length(options->architecture),
           options->architecture);
  const cam_code code = join_weights(architecture, labels, all, out, error);
  if (code)
    return code;
  if (out->batch_norms)
    report(options, "folding %d batch norms into the convolutions before them", out->batch_norms);
  report_unused(options, architecture, all);
  return CAM_OK;
}

static cam_code join_files(const cam_convert_options *options, joined *out, cam_error *error) {
  json *architecture = NULL;
  weights *all = NULL;
  cam_code code = read_architecture(options, &architecture, error);
  if (!code)
    code = weights_read(options->weights, &all, error);
  if (!code)
    code = join_read(options, architecture, all, out, error);
  weights_free(all);
  json_free(architecture);
  return code;
}

/* None of the files that are read may be one that is written. (External data: onnx_join.) */
static cam_code keep_inputs(const cam_convert_options *options, const char *written,
                            cam_error *error) {
  const char *const inputs[] = {options->weights, options->architecture, options->labels,
                                options->compare_input, options->compare_output};
  cam_code code = CAM_OK;
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs && !code; i++)
    code = document_keep(written, inputs[i], error);
  return code;
}

cam_code cam_convert(const cam_convert_options *options, cam_error *error) {
  cam_error mine = {0};
  char unfinished[MAX_PATH];
  joined model = {0};
  if (!error)
    error = &mine;
  if (snprintf(unfinished, sizeof unfinished, "%s.tmp", options->output) >=
          (int)sizeof unfinished ||
      (options->architecture && strlen(options->architecture) > MAX_PATH - 16))
    return cam_fail(error, CAM_E_IO, "a path is too long");
  if (options->threads < 0 || options->threads > CAM_MAX_TEAM)
    return cam_fail(error, CAM_E_PARAMETER, "threads: %d; allowed are 0 to %d", options->threads,
                    CAM_MAX_TEAM);
  onnx_facts facts = {0};
  cam_code code = keep_inputs(options, options->output, error);
  if (!code)
    code = keep_inputs(options, unfinished, error);
  if (code)
    return code;
  if (options->architecture)
    code = join_files(options, &model, error);
  else
    code = onnx_join(options, &model, &facts, error);
  if (code)
    return code;
  code = write_model(unfinished, &model, false, error);
  if (!code)
    code = self_test(options, unfinished, model.document, error);
  if (!code && options->compare_input)
    code = onnx_compare(options, unfinished, &facts, error);
  if (!code)
    code = write_model(unfinished, &model, true, error);
  if (!code)
    code = rename_file(unfinished, options->output, error);
  if (code)
    remove(unfinished);
  else
    report(options, "wrote %s: model %s, %d tensors, %.1f MB", options->output,
           json_text(json_member(model.document, "name")), model.n_tensors,
           (double)model.bytes / 1e6);
  joined_free(&model);
  return code;
}
