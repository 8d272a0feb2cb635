/* parameters.c - parameters.h. */
#include "parameters.h"
#include <stdlib.h>

const cam_tensor *node_tensor(const cam_node *node, node_slot slot) {
  switch (slot) {
  case SLOT_WEIGHT:
    return node->weight;
  case SLOT_BIAS:
    return node->bias;
  case SLOT_SCALE:
    return node->scale;
  case SLOT_SHIFT:
    return node->shift;
  default:
    return NULL;
  }
}

/* The index of the tensor, which is added where it is new. */
static int parameter_index(parameters *p, const cam_tensor *tensor) {
  for (int i = 0; i < p->n; i++)
    if (p->list[i].tensor == tensor)
      return i;
  p->list[p->n] = (parameter){.tensor = tensor, .at = p->count};
  p->count += tensor->count;
  return p->n++;
}

static void find_of_node(parameters *p, const cam_node *node, int of[SLOTS]) {
  for (int slot = 0; slot < SLOTS; slot++) {
    const cam_tensor *tensor = node_tensor(node, (node_slot)slot);
    if (!tensor)
      continue;
    of[slot] = parameter_index(p, tensor);
    p->list[of[slot]].decays |= slot == SLOT_WEIGHT;
  }
}

cam_code parameters_find(const cam_graph *graph, int cut, parameters *out, cam_error *error) {
  const size_t nodes = (size_t)graph->n_nodes;
  *out = (parameters){.list = calloc(nodes * SLOTS, sizeof *out->list),
                      .of = malloc(nodes * sizeof *out->of)};
  if (!out->list || !out->of)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for the parameters of %zu nodes", nodes);
  for (int i = 0; i < graph->n_nodes; i++) {
    for (int slot = 0; slot < SLOTS; slot++)
      out->of[i][slot] = -1;
    if (i > cut)
      find_of_node(out, &graph->nodes[i], out->of[i]);
  }
  return CAM_OK;
}

void parameters_free(parameters *p) {
  free(p->list);
  free(p->of);
  *p = (parameters){0};
}
