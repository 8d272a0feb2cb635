/* tuned_graph.c - tuned_graph.h. */
#include "tuned_graph.h"
#include <stdlib.h>
#include <string.h>

/* Tensors of other types than float32 have no data here. */
static cam_code check_floats(const cam_graph *base, cam_error *error) {
  for (int i = 0; i < base->n_nodes; i++) {
    const cam_node *node = &base->nodes[i];
    const cam_tensor *const tensors[] = {node->weight, node->bias, node->scale, node->shift};
    for (int k = 0; k < 4; k++)
      if (tensors[k] && !tensors[k]->data)
        return cam_fail(error, CAM_E_MODEL,
                        "%.40s: node \"%.40s\" has %.8s weights; start from the float model",
                        base->name, node->name, tensors[k]->dtype);
  }
  return CAM_OK;
}

static cam_code check_own_classes(const cam_graph *base, cam_error *error) {
  if (base->n_classes < 2)
    return cam_fail(error, CAM_E_MODEL,
                    "%.60s has one logit: no softmax; new classes can be trained, without "
                    "--keep-classes",
                    base->name);
  if (base->probability != CAM_SOFTMAX)
    return cam_fail(error, CAM_E_MODEL,
                    "%.40s: its classes have a %s each, which is not trained; new classes "
                    "are, without --keep-classes",
                    base->name, cam_probability_name(base->probability));
  return CAM_OK;
}

static cam_code check_asked(const cam_graph *base, const cam_tune_options *options,
                            const tuned_graph *tuned, cam_error *error) {
  const cam_node *last = &base->nodes[base->n_nodes - 1];
  const bool needs_fc = !options->keep_classes || options->stage == CAM_TUNE_HEAD;
  if (needs_fc && tuned->features < 0)
    return cam_fail(error, CAM_E_MODEL,
                    "%.30s: its last node \"%.30s\" is %.12s and no fc, so no new head can be "
                    "put there; --keep-classes --stage all trains it",
                    base->name, last->name, op_name(last->op));
  if (options->resize == CAM_ASPECT && base->one_size)
    return cam_fail(error, CAM_E_PARAMETER, "--resize aspect: %.60s takes %d x %d alone",
                    base->name, base->width, base->height);
  if (options->keep_classes)
    return check_own_classes(base, error);
  return CAM_OK;
}

static cam_code add_new_head(tuned_graph *tuned, int n_classes, cam_error *error) {
  cam_graph *graph = &tuned->graph;
  cam_node *last = &graph->nodes[graph->n_nodes - 1];
  const size_t count = (size_t)n_classes * (size_t)last->weight->shape[1];
  tuned->values = calloc(count, sizeof *tuned->values);
  if (!tuned->values)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu weights", count);
  tuned->is_new = true;
  tuned->weight = *last->weight;
  tuned->weight.shape[0] = n_classes;
  tuned->weight.count = count;
  tuned->weight.data = tuned->values;
  last->weight = &tuned->weight;
  last->bias = NULL;
  last->channels = n_classes;
  graph->n_classes = n_classes;
  graph->probability = CAM_SOFTMAX;
  graph->classes = NULL;
  return CAM_OK;
}

cam_code tuned_graph_make(const cam_graph *base, const cam_tune_options *options, int n_classes,
                          tuned_graph *out, cam_error *error) {
  *out = (tuned_graph){.graph = *base, .features = -1};
  out->graph.nodes = malloc((size_t)base->n_nodes * sizeof *base->nodes);
  if (!out->graph.nodes)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d nodes", base->n_nodes);
  memcpy(out->graph.nodes, base->nodes, (size_t)base->n_nodes * sizeof *base->nodes);
  if (base->nodes[base->n_nodes - 1].op == OP_FC)
    out->features = base->n_nodes - 2;
  cam_code code = check_floats(base, error);
  if (!code)
    code = check_asked(base, options, out, error);
  if (!code && !options->keep_classes)
    code = add_new_head(out, n_classes, error);
  return code;
}

void tuned_graph_free(tuned_graph *tuned) {
  free(tuned->graph.nodes);
  free(tuned->values);
  *tuned = (tuned_graph){0};
}
