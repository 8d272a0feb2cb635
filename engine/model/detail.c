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

void detail_ends(const cam_graph *graph, int pass, int ends[DETAIL_ENDS][2]) {
  const int height = detail_side(graph, graph->height, pass),
            width = detail_side(graph, graph->width, pass), side = min_int(height, width);
  const int all[DETAIL_ENDS][2] = {
      {height, width}, {side, graph->max_side}, {graph->max_side, side}};
  memcpy(ends, all, sizeof all);
}

/* Does the network take the largest inputs of a pass? *cells: of its last plane at most, which
 * class maps are of. */
static bool takes_ends(const cam_graph *graph, int pass, int (*shape)[2], uint64_t *cells) {
  int ends[DETAIL_ENDS][2];
  const int last = graph->nodes[graph->head].inputs[0];
  *cells = 0;
  detail_ends(graph, pass, ends);
  for (int i = 0; i < DETAIL_ENDS; i++) {
    if (graph_shapes(graph, ends[i][0], ends[i][1], shape, NULL))
      return false;
    const int *grid = ends[i];
    if (last != GRAPH_INPUT)
      grid = shape[last];
    *cells = max_uint64(*cells, (uint64_t)grid[0] * (uint64_t)grid[1]);
  }
  return true;
}

/* graph_load has seen that each side goes through, for itself; what may be too much is the whole,
 * and so the largest inputs say it for all. */
cam_code detail_check(const cam_graph *graph, bool *possible, uint64_t cells[CAM_DETAIL_COUNT],
                      cam_error *error) {
  const int last = DETAIL_PASSES - 1;
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape);
  if (!shape)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the shapes of %d nodes", graph->n_nodes);
  takes_ends(graph, 0, shape, &cells[CAM_NORMAL]);
  *possible = !graph->one_size && detail_side(graph, graph->height, last) > graph->height &&
              detail_side(graph, graph->width, last) > graph->width &&
              takes_ends(graph, last, shape, &cells[CAM_FINE]);
  free(shape);
  return CAM_OK;
}
