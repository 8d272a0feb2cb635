/* network.c - network.h: a checked graph is fused into layers, some of those are merged, and the
 * weights of all are packed. Flow: graph -> fuse -> merge -> [network] -> forward. Thread: loading.
 */
#include "network.h"
#include "base/team.h"
#include "cam_minmax.h"
#include "fuse.h"
#include "merge.h"
#include <stdlib.h>

/* ---- packing of weights: layer by layer, on all processors ---- */

typedef struct prepare_call {
  network *net;
  cam_error *errors;
} prepare_call;

static void prepare_layer(void *closure, int index, int thread) {
  const prepare_call *call = closure;
  layer *l = &call->net->layers[index];
  (void)thread;
  if (l->type->prepare)
    call->errors[index].code = l->type->prepare(call->net, l, &call->errors[index]);
}

static cam_code prepare_layers(network *net, cam_error *error) {
  cam_team *team;
  cam_code code = team_create(min_int(cam_cpu_count(), CAM_MAX_TEAM), &team, error);
  if (code)
    return code;
  uint64_t packed = 0;
  net->packed = &packed;
  prepare_call call = {net, calloc((size_t)net->n_layers, sizeof(cam_error))};
  if (call.errors)
    team_for(team, net->n_layers, prepare_layer, &call);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory to pack %d layers", net->n_layers);
  for (int i = 0; i < net->n_layers && !code; i++)
    if (call.errors[i].code)
      code = cam_fail(error, call.errors[i].code, "%s", call.errors[i].detail);
  net->packed = NULL;
  free(call.errors);
  team_free(team);
  return code;
}

/* Of a head in integers. */
static cam_code sum_rows(network *net, cam_error *error) {
  const cam_graph *graph = net->graph;
  const cam_node *fc = &graph->nodes[graph->n_nodes - 1];
  if (!graph->int8_head || fc->op != OP_FC)
    return CAM_OK;
  net->row_sums = calloc((size_t)graph->n_classes, sizeof *net->row_sums);
  if (!net->row_sums)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d classes", graph->n_classes);
  const size_t depth = fc->weight->count / (size_t)graph->n_classes;
  for (size_t i = 0; i < fc->weight->count; i++)
    net->row_sums[i / depth] += fc->weight->bytes[i];
  return CAM_OK;
}

static cam_code build(network *net, cam_error *error) {
  const cam_graph *graph = net->graph;
  net->shape = calloc((size_t)graph->n_nodes, sizeof *net->shape);
  if (!net->shape)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", graph->n_nodes);
  cam_code code = graph_shapes(graph, graph->height, graph->width, net->shape, error);
  if (!code)
    code = fuse_nodes(net, error);
  if (!code && !net->apart)
    code = merge_layers(net, error);
  if (!code)
    code = prepare_layers(net, error);
  if (!code)
    code = sum_rows(net, error);
  return code;
}

cam_code network_create(const cam_graph *graph, const kernels *k, network **out, cam_error *error) {
  return network_create_as(graph, &(network_making){.k = k}, out, error);
}

cam_code network_create_as(const cam_graph *graph, const network_making *how, network **out,
                           cam_error *error) {
  *out = NULL;
  network *net = calloc(1, sizeof *net);
  if (!net)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", graph->n_nodes);
  net->graph = graph;
  net->k = how->k;
  net->k8 = how->k8;
  net->apart = how->apart;
  net->blocks = how->blocks;
  cam_code code = CAM_OK;
  if (!net->k8)
    code = kernels_int8_select(how->k->isa, &net->k8, error);
  if (!code)
    code = build(net, error);
  free(net->shape);
  net->shape = NULL;
  if (code)
    network_free(net);
  else
    *out = net;
  return code;
}

static void free_int8(int8_layer *own) {
  if (!own)
    return;
  free((void *)(uintptr_t)own->q.multiplier);
  free((void *)(uintptr_t)own->q.bias);
  free(own->shift);
  free(own->tables);
  free(own->padding);
  free(own->weight);
  free(own);
}

static void free_layers(layer *layers, int n) {
  for (int i = 0; i < n; i++) {
    free(layers[i].weight);
    free(layers[i].bias);
    free_int8(layers[i].int8);
    if (layers[i].before)
      free_layers(layers[i].before, 1);
    if (layers[i].parts)
      free_layers(layers[i].parts, layers[i].n_parts);
  }
  free(layers);
}

void network_free(network *net) {
  if (!net)
    return;
  free_layers(net->layers, net->n_layers);
  free(net->row_sums);
  free(net);
}

float network_bias(const network *net, int class_id) {
  if (!net->fc_bias)
    return 0;
  return net->fc_bias->data[class_id];
}
