/* output.c - output.h. */
#include "output.h"
#include "oracle.h"
#include "report.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SELF_TEST_LOGITS = 5, MAX_PATH = 4096 };

int folder_length(const char *path) {
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

cam_code output_write(const char *path, const joined *model, bool to_disk, cam_error *error) {
  char *text = json_print(model->document, true, NULL);
  if (!text)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the text of the network");
  const cam_code code = write_model_text(path, model, text, to_disk, error);
  free(text);
  return code;
}

cam_code output_rename(const char *from, const char *to, cam_error *error) {
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

cam_code output_self_test(const cam_convert_options *options, const char *path, json *document,
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
