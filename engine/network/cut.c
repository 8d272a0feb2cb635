/* cut.c - cut.h. */
#include "cut.h"
#include "operators.h"
#include <stdlib.h>

/* The earliest of what the nodes behind `cut` read; `cut` or later: it is a cut. */
static int earliest_read(const cam_graph *graph, int cut) {
  int earliest = cut;
  for (int i = cut + 1; i < graph->n_nodes; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++)
      if (graph->nodes[i].inputs[k] < earliest)
        earliest = graph->nodes[i].inputs[k];
  return earliest;
}

cam_code cut_check(const cam_graph *graph, int cut, cam_error *error) {
  if (cut < GRAPH_INPUT || cut >= graph->head)
    return cam_fail(error, CAM_E_PARAMETER, "a cut at node %d; %s can be cut at %d to %d", cut,
                    graph->name, GRAPH_INPUT, graph->head - 1);
  if (earliest_read(graph, cut) < cut)
    return cam_fail(error, CAM_E_PARAMETER,
                    "%s cannot be cut at \"%.60s\": nodes behind it read what is before it",
                    graph->name, graph->nodes[cut].name);
  return CAM_OK;
}

static cam_code shapes_at_own_size(const cam_graph *graph, int (*shape)[2]) {
  return graph_shapes(graph, graph->height, graph->width, shape, NULL);
}

int cut_at_last_size(const cam_graph *graph) {
  const int last = graph->nodes[graph->head].inputs[0];
  int(*shape)[2] = calloc((size_t)graph->n_nodes, sizeof *shape), cut = GRAPH_INPUT;
  if (!shape || last == GRAPH_INPUT || shapes_at_own_size(graph, shape)) {
    free(shape);
    return last;
  }
  const int height = shape[last][0], width = shape[last][1];
  while (cut < last) {
    int size[2] = {graph->height, graph->width};
    if (cut != GRAPH_INPUT) {
      size[0] = shape[cut][0];
      size[1] = shape[cut][1];
    }
    if (size[0] == height && size[1] == width && earliest_read(graph, cut) == cut)
      break;
    cut++;
  }
  free(shape);
  return cut;
}

int cut_channels(const cam_graph *graph, int cut) {
  if (cut == GRAPH_INPUT)
    return 3;
  return graph->nodes[cut].channels;
}

cam_code cut_shapes(const cam_graph *graph, int cut, int height, int width, int (*shape)[2],
                    cam_error *error) {
  const int at_cut[2] = {height, width};
  if (cut == GRAPH_INPUT)
    return graph_shapes(graph, height, width, shape, error);
  cam_code code = CAM_OK;
  for (int i = cut + 1; i < graph->n_nodes && !code; i++) {
    const cam_node *node = &graph->nodes[i];
    const int *in[NODE_MAX_INPUTS];
    for (int k = 0; k < node->n_inputs; k++) {
      in[k] = at_cut;
      if (node->inputs[k] != cut)
        in[k] = shape[node->inputs[k]];
    }
    code = node_shape(node, in, shape[i], error);
  }
  return code;
}

int cut_last_fc(const cam_graph *graph) {
  int i = graph->n_nodes - 1;
  while (i >= 0 && graph->nodes[i].op != OP_FC)
    i--;
  return i;
}
