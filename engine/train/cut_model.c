/* cut_model.c - cut_model.h. A gap behind the last node makes a network of any plane, whose class
 * maps are the plane's channels. */
#include "cut_model.h"
#include "cam_minmax.h"
#include "model/pixels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first nodes, in a list of its own with room for one more. */
static cam_code copy_nodes(const cam_graph *graph, int n, cut_model *out, cam_error *error) {
  out->graph = *graph;
  out->graph.n_nodes = n;
  out->graph.nodes = calloc((size_t)n + 1, sizeof *out->graph.nodes);
  if (!out->graph.nodes)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d nodes", n);
  memcpy(out->graph.nodes, graph->nodes, (size_t)n * sizeof *graph->nodes);
  return CAM_OK;
}

cam_code cut_model_make(const cam_graph *graph, int last, cut_model *out, cam_error *error) {
  const kernels *k = NULL;
  *out = (cut_model){0};
  cam_code code = copy_nodes(graph, last + 1, out, error);
  if (!code)
    code = kernels_select(NULL, &k, error);
  if (code)
    return code;
  cam_graph *cut = &out->graph;
  out->channels = cut->n_classes = cut->nodes[last].channels;
  out->is_plane = last < graph->head;
  if (out->is_plane) {
    cut->head = cut->n_nodes++;
    cut->nodes[cut->head] = (cam_node){.name = "cut",
                                       .op = OP_GAP,
                                       .n_inputs = 1,
                                       .inputs = {last},
                                       .groups = 1,
                                       .channels = out->channels,
                                       .one_cell = true};
  }
  cut->method = CAM_METHOD_HIRESCAM;
  if (cut->head == cut->n_nodes - 1 && cut->nodes[cut->head].op == OP_GAP)
    cut->method = CAM_METHOD_CAM;
  return network_create(cut, k, &out->net, error);
}

void cut_model_free(cut_model *cut) {
  network_free(cut->net);
  free(cut->graph.nodes);
  *cut = (cut_model){0};
}

cam_code cut_run_make(const cut_model *cut, cut_run *out, cam_error *error) {
  *out = (cut_run){.cut = cut};
  out->means = malloc((size_t)cut->channels * sizeof *out->means);
  if (!out->means)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d channels", cut->channels);
  cam_code code = team_create(1, &out->team, error);
  if (!code)
    code = forward_create(cut->net, out->team, &out->forward, error);
  return code;
}

void cut_run_free(cut_run *run) {
  forward_free(run->forward);
  team_free(run->team);
  free(run->means);
  *run = (cut_run){0};
}

cam_code cut_run_shape(cut_run *run, int height, int width, int out[2], cam_error *error) {
  void *input;
  out[0] = out[1] = 1;
  if (!run->cut->is_plane)
    return CAM_OK;
  const cam_code code = forward_plan(run->forward, height, width, &input, error);
  if (!code)
    forward_map_size(run->forward, &out[0], &out[1]);
  return code;
}

/* The class maps, [channels][cells], as the plane that they are, [cells,channels]. */
static cam_code take_plane(cut_run *run, float *out, cam_error *error) {
  const size_t channels = (size_t)run->cut->channels;
  int height, width;
  forward_map_size(run->forward, &height, &width);
  const size_t cells = (size_t)height * (size_t)width;
  float *values = malloc(cells * sizeof *values);
  if (!values)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu cells", cells);
  for (size_t c = 0; c < channels; c++) {
    const int id = (int)c;
    forward_class_maps(run->forward, 1, &id, &values);
    for (size_t i = 0; i < cells; i++)
      out[i * channels + c] = values[i];
  }
  free(values);
  return CAM_OK;
}

cam_code cut_run_do(cut_run *run, const cam_image *input, float *out, cam_error *error) {
  void *seen;
  cam_code code = forward_plan(run->forward, input->height, input->width, &seen, error);
  if (code)
    return code;
  pixels_normalize(&run->cut->graph, input->rgb, (size_t)input->height * (size_t)input->width,
                   seen);
  forward_run(run->forward, run->means, NULL);
  for (int c = 0; c < run->cut->channels; c++)
    if (!isfinite(run->means[c]))
      return cam_fail(error, CAM_E_MODEL, "channel %d of node \"%.60s\" is not finite", c,
                      run->cut->graph.nodes[run->cut->graph.n_nodes - 1].name);
  if (run->cut->is_plane)
    return take_plane(run, out, error);
  memcpy(out, run->means, (size_t)run->cut->channels * sizeof *out);
  return CAM_OK;
}
