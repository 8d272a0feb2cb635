/* int8_join.c - int8_join.h. */
#include "int8_join.h"
#include "calibrate.h"
#include "cam_engine.h"
#include "network/quantized.h"
#include "output.h"
#include "quantize.h"
#include "report.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAME = 64, MOST_PATH = 4096 };

/* NAME-int8, cut where a name is too long; a name that says it already stays. */
static void name_model(const cam_convert_options *options, const cam_graph *graph,
                       char name[MOST_NAME + 1]) {
  const size_t n = strlen(graph->name);
  if (!options->name && n > 5 && !strcmp(graph->name + n - 5, "-int8"))
    snprintf(name, MOST_NAME + 1, "%s", graph->name);
  else if (options->name)
    snprintf(name, MOST_NAME + 1, "%s", options->name);
  else
    snprintf(name, MOST_NAME + 1, "%.59s-int8", graph->name);
}

/* Beside the output; nowhere where there is none. */
static cam_code keep_ranges(const cam_convert_options *options, const cam_graph *graph,
                            const ranges *seen, cam_error *error) {
  char path[MOST_PATH];
  if (!options->output)
    return CAM_OK;
  cam_code code = ranges_path(options->output, path, sizeof path, error);
  if (!code)
    code = ranges_write(path, graph, seen, error);
  if (!code)
    report(options, "wrote %s: what --ranges takes instead of photos", path);
  return code;
}

/* The ranges: of a file, or of photos, which are then written to one. */
static cam_code find_ranges(const cam_convert_options *options, const cam_graph *graph,
                            calibration *c, cam_error *error) {
  if (!options->ranges) {
    cam_code code = calibrate(options, graph, c, error);
    if (!code)
      code = keep_ranges(options, graph, &c->seen, error);
    return code;
  }
  cam_code code = ranges_create(graph, &c->seen, error);
  if (!code)
    code = ranges_read(options->ranges, graph, &c->seen, error);
  return code;
}

static cam_code say_shares(const cam_convert_options *options, const char *path, cam_error *error) {
  cam_model *model = NULL;
  cam_code code = cam_model_load(path, NULL, &model, error);
  if (code)
    return code;
  const cam_model_info *info = cam_model_get_info(model);
  const char *exact = "the same bits on every machine";
  if (!info->bit_exact)
    exact = "not bit-exact: a part is computed in float32";
  report(options, "int8: %.2f %% of the multiply-adds; %s", 100 * info->int8_share, exact);
  cam_model_free(model);
  return CAM_OK;
}

static cam_code join_graph(const cam_convert_options *options, const cam_graph *graph,
                           calibration *c, joined *out, cam_error *error) {
  char name[MOST_NAME + 1];
  if (graph->is_int8)
    return cam_fail(error, CAM_E_PARAMETER, "--int8: model %s is in 8 bits already", graph->name);
  name_model(options, graph, name);
  cam_code code = find_ranges(options, graph, c, error);
  if (!code)
    code = quantize_graph(graph, &c->seen, name, out, error);
  return code;
}

cam_code int8_join(const cam_convert_options *options, const char *from, const char *unfinished,
                   joined *out, cam_error *error) {
  cam_graph *graph = NULL;
  calibration c = {0};
  *out = (joined){0};
  cam_code code = graph_load(from, &graph, error);
  if (!code)
    code = join_graph(options, graph, &c, out, error);
  graph_free(graph);
  if (!code)
    code = output_write(unfinished, out, false, error);
  if (!code)
    code = output_self_test(options, unfinished, out->document, error);
  if (!code && c.n)
    code = calibration_compare(options, &c, unfinished, error);
  if (!code)
    code = say_shares(options, unfinished, error);
  calibration_free(&c);
  return code;
}
