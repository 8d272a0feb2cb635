/* detail.c - detail.h. Flow: model file -> [detail] -> sizes, parameters. Thread: any; touches only
 * its arguments. */
#include "detail.h"
#include "cam_minmax.h"
#include <stdlib.h>
#include <string.h>

int detail_side(const cam_graph *graph, int side, int pass) {
  static const int times[DETAIL_PASSES][2] = {{1, 1}, {10, 7}, {2, 1}};
  const int multiple = graph->multiple, over = times[pass][1];
  if (!pass)
    return side;
  const int nearest = (2 * side * times[pass][0] + multiple * over) / (2 * multiple * over) *
                      multiple;
  return max_int(side, min_int(nearest, graph->max_side));
}

/* Sides that graph_load has seen to go through, and all between: what may be too much is the whole,
 * so the largest inputs say it for all. */
cam_code detail_check(const cam_graph *graph, bool *possible, cam_error *error) {
  int ends[DETAIL_ENDS][2], (*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (!shape)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the shapes of %d nodes", graph->n_nodes);
  detail_ends(graph, ends);
  *possible = ends[0][0] > graph->height && ends[0][1] > graph->width;
  for (int i = 0; i < DETAIL_ENDS && *possible; i++)
    *possible = !graph_shapes(graph, ends[i][0], ends[i][1], shape, NULL);
  free(shape);
  return CAM_OK;
}

void detail_ends(const cam_graph *graph, int ends[DETAIL_ENDS][2]) {
  const int last = DETAIL_PASSES - 1, height = detail_side(graph, graph->height, last),
            width = detail_side(graph, graph->width, last), side = min_int(height, width);
  const int all[DETAIL_ENDS][2] = {
      {height, width}, {side, graph->max_side}, {graph->max_side, side}};
  memcpy(ends, all, sizeof all);
}
