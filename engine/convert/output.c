/* output.c - output.h. */
#include "output.h"
#include "model_file.h"
#include "report.h"
#include <stdlib.h>
#include <string.h>

int folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash)
    return 0;
  return (int)(slash - path) + 1;
}

cam_code output_write(const char *path, const joined *model, bool to_disk, cam_error *error) {
  return model_file_put(path, model->document, model->tensors, model->n_tensors, to_disk, error);
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
  if (!code)
    code = model_file_add_self_test(document, &o, error);
  if (!code)
    warn_small_map(options, o.graph);
  oracle_close(&o);
  return code;
}
