/* network.c - a checked graph -> layers. An activation, and a sum with an earlier plane, move into
 * the convolution before them, when nothing else sees what is between: they then cost nothing.
 * Flow: graph -> [network] -> forward.   Thread: loading only. */
#include "network.h"
#include "layers.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const epilogue no_activation = {-INFINITY, INFINITY};

static epilogue activation(cam_op op) {
  return op == OP_RELU    ? (epilogue){0, INFINITY}
         : op == OP_RELU6 ? (epilogue){0, 6}
                          : no_activation;
}

int network_stride(const network *net, int channels) {
  int width = net->k->width;
  return (channels + width - 1) / width * width;
}

static int uses(const cam_graph *graph, int index) {
  int n = 0;
  for (int i = 0; i < graph->n_nodes; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++)
      n += graph->nodes[i].inputs[k] == index;
  return n;
}

/* May node i, whose k-th input is the output of layer l, be fused into l? Only into a convolution
 * that is not finished, whose output nobody else reads. */
static bool fusible(const network *net, const layer *l, const cam_node *node, int k) {
  return l->node->op == OP_CONV && l->finish.low == no_activation.low && !l->pool &&
         uses(net->graph, node->inputs[k]) == 1;
}

static bool is_halving_pool(const cam_node *node) {
  return node->op == OP_MAX_POOL && node->kernel[0] == 2 && node->kernel[1] == 2 &&
         node->stride[0] == 2 && node->stride[1] == 2 && node->padding == PAD_EXPLICIT &&
         !node->pads[0] && !node->pads[1] && !node->pads[2] && !node->pads[3];
}

static bool fuse_pool(network *net, int i, int *at) {
  const cam_node *node = &net->graph->nodes[i];
  if (!is_halving_pool(node) || node->inputs[0] < 0)
    return false;
  layer *l = &net->layers[at[node->inputs[0]]];
  if (!l->type->pools || l->pool || l->residual != NO_RESIDUAL ||
      uses(net->graph, node->inputs[0]) != 1)
    return false;
  l->pool = true;
  l->last = node;
  at[i] = at[node->inputs[0]];
  return true;
}

/* Fuses node i into the layer of one of its inputs, if that can be; at[] maps nodes to layers. */
static bool fuse(network *net, int i, int *at) {
  const cam_node *node = &net->graph->nodes[i];
  if (node->op != OP_RELU && node->op != OP_RELU6 && node->op != OP_ADD)
    return false;
  int k = 0; /* a sum goes into the later of its two layers: by then the other is there */
  if (node->op == OP_ADD && node->inputs[0] >= 0 && node->inputs[1] >= 0 &&
      at[node->inputs[1]] > at[node->inputs[0]])
    k = 1;
  if (node->inputs[0] < 0 ||
      (node->op == OP_ADD && (node->inputs[1] < 0 || node->inputs[0] == node->inputs[1])))
    return false;
  layer *l = &net->layers[at[node->inputs[k]]];
  if (!fusible(net, l, node, k) ||
      (node->op == OP_ADD && (l->residual != NO_RESIDUAL || !l->type->adds)))
    return false;
  if (node->op == OP_ADD)
    l->residual = at[node->inputs[!k]];
  l->finish = activation(node->op);
  l->last = node;
  at[i] = at[node->inputs[k]];
  return true;
}

/* The layer that copies the picture into padded cells, for layers that cannot read it as it lies;
 * made at its first use. */
static int padded_picture(network *net, const cam_node *node, int *picture) {
  if (*picture < 0) {
    *picture = net->n_layers++;
    net->layers[*picture] = (layer){.type = layer_type_concat(),
                                    .node = node,
                                    .n_inputs = 1,
                                    .inputs = {GRAPH_INPUT},
                                    .residual = NO_RESIDUAL,
                                    .channels = 3};
  }
  return *picture;
}

/* ---- blocks: see block.c ---- */

enum {
  LARGE_PLANE =
      700 << 10 /* bytes of an expanded plane from which on a block was faster, or as fast */
};

static int layer_uses(const network *net, int index) {
  int n = net->features == index;
  for (int i = 0; i < net->n_layers; i++) {
    n += net->layers[i].residual == index;
    for (int k = 0; k < net->layers[i].n_inputs; k++)
      n += net->layers[i].inputs[k] == index;
  }
  return n;
}

/* How many layers from i on, 2 or 3, make a block that is worth it at the input's own size; 0: none
 * do. */
static int block_length(const network *net, int i) {
  const layer *l = &net->layers[i];
  int expands = layer_is_plain_product(l) && l->residual == NO_RESIDUAL &&
                l->inputs[0] != GRAPH_INPUT,
      n = expands + 2;
  if (i + n > net->n_layers || !layer_is_depthwise(&l[expands]) ||
      !layer_is_plain_product(&l[expands + 1]) || l[expands].residual != NO_RESIDUAL)
    return 0;
  for (int k = 1; k < n; k++)
    if (l[k].inputs[0] != i + k - 1 || layer_uses(net, i + k - 1) != 1)
      return 0;
  const cam_node *before = net->layers[l[expands].inputs[0]].last;
  if (!before)
    return 0;
  const int *plane = net->shape[before - net->graph->nodes];
  return (int64_t)plane[0] * plane[1] * l[expands].channels * (int64_t)sizeof(float) >= LARGE_PLANE
             ? n
             : 0;
}

/* Replaces each chain of layers that makes a block by one layer. */
static cam_code merge_blocks(network *net, cam_error *error) {
  int *moved = calloc((size_t)net->n_layers, sizeof *moved), count = 0;
  layer *merged = calloc((size_t)net->n_layers, sizeof *merged);
  cam_code code = CAM_OK;
  if (!moved || !merged)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", net->n_layers);
  for (int i = 0, n; i < net->n_layers && !code; i += n) {
    n = block_length(net, i);
    layer *to = &merged[count], *from = &net->layers[i], *last = &net->layers[i + most(1, n) - 1];
    *to = *last;
    if (n) {
      layer *parts = calloc((size_t)n, sizeof *parts);
      if (!parts)
        code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for a block of %d layers", n);
      else
        memcpy(parts, from, (size_t)n * sizeof *parts);
      *to = (layer){.type = &layer_type_block,
                    .node = last->node,
                    .last = last->last,
                    .n_inputs = 1,
                    .inputs = {from->inputs[0]},
                    .residual = last->residual,
                    .channels = last->channels,
                    .n_parts = parts ? n : 0,
                    .parts = parts};
    }
    n = most(1, n);
    for (int k = 0; k < n; k++)
      moved[i + k] = count;
    count++;
  }
  if (!code) {
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < merged[i].n_inputs; k++)
        if (merged[i].inputs[k] >= 0)
          merged[i].inputs[k] = moved[merged[i].inputs[k]];
      if (merged[i].residual >= 0)
        merged[i].residual = moved[merged[i].residual];
    }
    net->features = moved[net->features];
    net->n_layers = count;
    layer *old = net->layers;
    net->layers = merged;
    merged = old;
  } else {
    for (int i = 0; merged && i < count; i++)
      free(merged[i].parts);
  }
  free(merged);
  free(moved);
  return code;
}

/* The last layer, if it is a convolution of stride 1 and nothing more, is linear, as is all after
 * it: tail.h does without its plane. */
static void leave_to_tail(network *net) {
  if (net->features == GRAPH_INPUT || net->features != net->n_layers - 1)
    return;
  const layer *l = &net->layers[net->features];
  const cam_node *node = l->node;
  bool nothing_more = l->residual == NO_RESIDUAL && !l->pool &&
                      l->finish.low == no_activation.low && l->finish.high == no_activation.high;
  if (node->op != OP_CONV || !nothing_more || l->inputs[0] == GRAPH_INPUT || node->stride[0] != 1 ||
      node->stride[1] != 1)
    return;
  net->linear = node;
  net->features = l->inputs[0];
  net->n_layers--;
}

/* ---- packing of weights: layer by layer, on all processors ---- */

typedef struct prepare_call {
  network *net;
  cam_error *errors;
} prepare_call;

static void prepare_one(void *closure, int index, int thread) {
  const prepare_call *call = closure;
  layer *l = &call->net->layers[index];
  (void)thread;
  if (l->type->prepare)
    call->errors[index].code = l->type->prepare(call->net, l, &call->errors[index]);
}

static cam_code prepare_all(network *net, cam_error *error) {
  cam_team *team;
  int threads = cam_cpu_count();
  cam_code code = team_create(threads < CAM_MAX_TEAM ? threads : CAM_MAX_TEAM, &team, error);
  if (code)
    return code;
  uint64_t packed = 0;
  net->packed = &packed;
  prepare_call call = {net, calloc((size_t)net->n_layers, sizeof(cam_error))};
  if (call.errors)
    team_for(team, net->n_layers, prepare_one, &call);
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

cam_code network_create(const cam_graph *graph, const kernels *k, network **out, cam_error *error) {
  *out = NULL;
  network *net = calloc(1, sizeof *net);
  int *at = calloc((size_t)graph->n_nodes, sizeof *at);
  int picture = -1;
  cam_code code = CAM_OK;
  if (net)
    net->layers = calloc((size_t)graph->n_nodes + 1, sizeof *net->layers);
  if (net)
    net->shape = calloc((size_t)graph->n_nodes, sizeof *net->shape);
  if (!at || !net || !net->layers || !net->shape) {
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", graph->n_nodes);
    goto out;
  }
  net->graph = graph;
  net->k = k;
  for (int i = 0; i < graph->n_nodes; i++) {
    const cam_node *node = &graph->nodes[i];
    if (node->op == OP_GAP)
      net->features = node->inputs[0] < 0 ? GRAPH_INPUT : at[node->inputs[0]];
    if (node->op == OP_FC)
      net->fc_weight = node->weight, net->fc_bias = node->bias;
    if (node->op == OP_GAP || node->op == OP_FC || fuse(net, i, at) || fuse_pool(net, i, at))
      continue;
    layer l = {.node = node,
               .last = node,
               .n_inputs = node->n_inputs,
               .residual = NO_RESIDUAL,
               .channels = node->channels,
               .finish = activation(node->op)};
    l.type = layer_type_for(net, node);
    for (int n = 0; n < node->n_inputs; n++)
      l.inputs[n] = node->inputs[n] >= 0    ? at[node->inputs[n]]
                    : l.type->reads_picture ? GRAPH_INPUT
                                            : padded_picture(net, node, &picture);
    at[i] = net->n_layers;
    net->layers[net->n_layers++] = l;
  }
  leave_to_tail(net);
  if (net->features == GRAPH_INPUT)
    code = cam_fail(error, CAM_E_MODEL, "the gap averages the picture itself");
  if (!code)
    code = graph_shapes(graph, graph->height, graph->width, net->shape, error);
  if (!code)
    code = merge_blocks(net, error);
  if (!code)
    code = prepare_all(net, error);
out:
  free(at);
  if (net) {
    free(net->shape);
    net->shape = NULL;
  }
  if (code)
    network_free(net);
  else
    *out = net;
  return code;
}

static void free_layers(layer *layers, int n) {
  for (int i = 0; i < n; i++) {
    free(layers[i].weight);
    free(layers[i].bias);
    if (layers[i].parts)
      free_layers(layers[i].parts, layers[i].n_parts);
  }
  free(layers);
}

void network_free(network *net) {
  if (!net)
    return;
  free_layers(net->layers, net->n_layers);
  free(net);
}

float network_bias(const network *net, int class_id) {
  return net->fc_bias ? net->fc_bias->data[class_id] : 0;
}
