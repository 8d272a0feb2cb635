/* oracle.c - see oracle.h. */
#include "oracle.h"
#include "cam_minmax.h"
#include "network/reference.h"
#include <stdlib.h>

cam_code oracle_open(const char *path, int threads, oracle *out, cam_error *error) {
  *out = (oracle){0};
  if (!threads)
    threads = min_int(cam_cpu_count(), CAM_MAX_TEAM);
  cam_code code = graph_load(path, &out->graph, error);
  if (!code)
    code = team_create(threads, &out->team, error);
  if (code)
    return code;
  const cam_graph *graph = out->graph;
  out->picture = malloc((size_t)graph->height * (size_t)graph->width * 3 * sizeof *out->picture);
  out->logits = malloc((size_t)graph->n_classes * sizeof *out->logits);
  if (!out->picture || !out->logits)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the reference of %s", graph->name);
  return CAM_OK;
}

cam_code oracle_run(oracle *o, cam_error *error) {
  return reference_forward(o->graph, o->team, o->picture, o->graph->height, o->graph->width,
                           o->logits, NULL, error);
}

void oracle_close(oracle *o) {
  free(o->logits);
  free(o->picture);
  team_free(o->team);
  graph_free(o->graph);
}
