/* network.c - a checked graph -> layers. Flow: graph -> [network] -> forward. Thread: loading only.
 * An activation, a sum with an earlier plane and a 2x2 pooling move into the convolution before
 * them when nothing else sees what is between: they then cost nothing. Then chains of layers that
 * run faster as one are merged into blocks, and the weights of all are packed. */
#include "network.h"
#include "base/team.h"
#include "cam_minmax.h"
#include "layers.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A network while its layers are made. */
typedef struct making {
  network *net;
  int *at;     /* [nodes]: the layer whose output is the node's */
  int *floats; /* [nodes]: the layer that has it as floats, where `at` has levels; -1: none yet */
  int picture; /* the layer that copies the picture into padded cells; -1: none is needed so far */
} making;

static int uses(const cam_graph *graph, int index) {
  int n = 0;
  for (int i = 0; i < graph->n_nodes; i++)
    for (int k = 0; k < graph->nodes[i].n_inputs; k++)
      n += graph->nodes[i].inputs[k] == index;
  return n;
}

/* ---- fusing a node into the layer before it ---- */

static const epilogue no_activation = {.low = -INFINITY, .high = INFINITY};

/* What the node does to each value, if it is an activation. */
static epilogue activation(const cam_node *node) {
  epilogue e = no_activation;
  switch (node->op) {
  case OP_RELU:
    return (epilogue){.low = 0, .high = INFINITY};
  case OP_RELU6:
    return (epilogue){.low = 0, .high = 6};
  case OP_CLIP:
    return (epilogue){.low = (float)node->least, .high = (float)node->most};
  case OP_SIGMOID:
    e.kind = SIGMOID;
    return e;
  case OP_SILU:
    e.kind = SILU;
    return e;
  case OP_GELU:
    e.kind = GELU;
    return e;
  case OP_HARD_SIGMOID:
    e.kind = HARD_SIGMOID;
    e.slope = (float)node->slope;
    e.offset = (float)node->offset;
    return e;
  case OP_HARD_SWISH:
    e.kind = HARD_SWISH;
    e.slope = 1 / 6.f;
    e.offset = .5f;
    return e;
  default:
    return e;
  }
}

static bool is_activation(const epilogue *e) {
  return e->kind != CLAMP || e->low != no_activation.low || e->high != no_activation.high;
}

/* The layer that makes this input of a node, if nobody else reads it: the node may be fused into it
 * if the layer can do it. NULL: it may not. */
static layer *sole_source(const making *m, int input) {
  if (m->net->apart || input < 0 || uses(m->net->graph, input) != 1 ||
      is_quantized(&m->net->graph->nodes[input]))
    return NULL;
  return &m->net->layers[m->at[input]];
}

/* A layer whose values go out as they are, but for an addition, and need not. */
static bool is_unfinished(const layer *l) {
  return l->type->finishes && !is_activation(&l->finish) && !l->pool;
}

static layer *fuse_activation(making *m, const cam_node *node) {
  layer *l = sole_source(m, node->inputs[0]);
  if (!l || !is_unfinished(l))
    return NULL;
  l->finish = activation(node);
  return l;
}

/* A sum goes into the later of its two layers: by then the other plane is there. */
static layer *fuse_sum(making *m, const cam_node *node) {
  int a = node->inputs[0], b = node->inputs[1];
  if (a < 0 || b < 0 || a == b)
    return NULL;
  int later = a, earlier = b;
  if (m->at[b] > m->at[a]) {
    later = b;
    earlier = a;
  }
  layer *l = sole_source(m, later);
  if (!l || !is_unfinished(l) || l->residual != NO_RESIDUAL || !l->type->adds ||
      is_quantized(&m->net->graph->nodes[earlier]))
    return NULL;
  l->residual = m->at[earlier];
  return l;
}

static bool is_halving_pool(const cam_node *node) {
  return !node->ceil_mode && node->kernel[0] == 2 && node->kernel[1] == 2 && node->stride[0] == 2 &&
         node->stride[1] == 2 && node->padding == PAD_EXPLICIT && !node->pads[0] &&
         !node->pads[1] && !node->pads[2] && !node->pads[3];
}

static layer *fuse_pool(making *m, const cam_node *node) {
  layer *l = sole_source(m, node->inputs[0]);
  if (!l || !is_halving_pool(node) || !l->type->pools || l->pool || l->residual != NO_RESIDUAL ||
      l->finish.kind != CLAMP)
    return NULL;
  l->pool = true;
  return l;
}

/* The layer that a node goes into; NULL: it needs one of its own. */
static layer *fuse_node(making *m, const cam_node *node) {
  if (op_is_activation(node->op))
    return fuse_activation(m, node);
  switch (node->op) {
  case OP_ADD:
    return fuse_sum(m, node);
  case OP_MAX_POOL:
    return fuse_pool(m, node);
  default:
    return NULL;
  }
}

/* ---- a layer of its own ---- */

/* The layer that copies the picture into padded cells, for layers that cannot read it as it lies;
 * made at its first use. */
static int padded_picture(making *m, const cam_node *node) {
  if (m->picture < 0) {
    m->picture = m->net->n_layers++;
    m->net->layers[m->picture] = (layer){.type = &layer_moves,
                                         .node = node,
                                         .n_inputs = 1,
                                         .inputs = {GRAPH_INPUT},
                                         .residual = NO_RESIDUAL,
                                         .channels = 3};
  }
  return m->picture;
}

/* ---- between planes of floats and of levels ---- */

/* A layer that turns the plane of a node, which layer `from` has, into the other kind; its index.
 */
static int add_conversion(making *m, const layer_type *type, const cam_node *node, int from) {
  network *net = m->net;
  net->layers[net->n_layers] = (layer){.type = type,
                                       .node = node,
                                       .last = node,
                                       .n_inputs = 1,
                                       .inputs = {from},
                                       .residual = NO_RESIDUAL,
                                       .channels = node->channels,
                                       .levels = type == &layer_quantize};
  return net->n_layers++;
}

/* The layer that has a node's plane as floats; made at its first use. */
static int floats_of(making *m, int input) {
  const cam_node *node = &m->net->graph->nodes[input];
  if (!is_quantized(node))
    return m->at[input];
  if (m->floats[input] < 0)
    m->floats[input] = add_conversion(m, &layer_dequantize, node, m->at[input]);
  return m->floats[input];
}

static int source_of(making *m, const layer_type *type, const cam_node *node, int input) {
  if (input >= 0)
    return floats_of(m, input);
  if (type->reads_picture)
    return GRAPH_INPUT;
  return padded_picture(m, node);
}

/* NULL: no kind of layer computes the operator. */
static layer *add_layer(making *m, const cam_node *node) {
  network *net = m->net;
  layer l = {.type = layer_type_for(net, node),
             .node = node,
             .n_inputs = node->n_inputs,
             .residual = NO_RESIDUAL,
             .channels = node->channels,
             .finish = activation(node)};
  if (!l.type)
    return NULL;
  for (int k = 0; k < node->n_inputs; k++)
    l.inputs[k] = source_of(m, l.type, node, node->inputs[k]);
  if (node->op == OP_MUL && node->inputs[1] >= 0)
    l.by_one_cell = net->graph->nodes[node->inputs[1]].one_cell;
  net->layers[net->n_layers] = l;
  return &net->layers[net->n_layers++];
}

/* ---- layers in integers (quantized.h) ---- */

static void set_table(const making *m, int8_layer *own, const cam_node *node) {
  quantized_table(node, quantized_input(m->net->graph, node->inputs[0]), own->table);
  own->q.range.table = own->table;
}

/* By which numbers the unit's sums become levels. */
static void set_range(const making *m, int8_layer *own) {
  const int8_unit *unit = &own->unit;
  const cam_node *heart = unit->heart;
  own->q.range.zero = unit->last->quantum.zero_point;
  quantized_ends(unit, &own->q.range.low, &own->q.range.high);
  if (unit->residual != NO_NODE) {
    const quantization from = quantized_input(m->net->graph, unit->residual);
    own->q.residual_multiplier = quantized_ratio(from, unit->last->quantum);
    own->q.residual_zero = from.zero_point;
  }
  const bool is_moved = heart->op == OP_MAX_POOL || heart->op == OP_SLICE ||
                        heart->op == OP_SHUFFLE || heart->op == OP_RESIZE;
  const bool is_rescaled = is_moved &&
                           !is_same_quantum(quantized_input(m->net->graph, heart->inputs[0]),
                                            heart->quantum);
  if (is_rescaled || op_is_activation(heart->op))
    set_table(m, own, heart);
}

/* An activation that alone reads the levels of a convolution, by a table behind its sums. NULL: it
 * needs a layer of its own. */
static layer *fuse_table(making *m, const cam_node *node) {
  const int input = node->inputs[0];
  if (!op_is_activation(node->op) || input < 0 || uses(m->net->graph, input) != 1 ||
      m->net->graph->nodes[input].way != NODE_INT8)
    return NULL;
  layer *l = &m->net->layers[m->at[input]];
  if (!l->int8 || l->node->op != OP_CONV || l->int8->q.range.table)
    return NULL;
  set_table(m, l->int8, node);
  return l;
}

/* The layer of a unit. */
static cam_code add_int8_layer(making *m, const cam_node *last, layer **out, cam_error *error) {
  network *net = m->net;
  const int8_unit unit = quantized_unit(net->graph, last);
  const cam_node *heart = unit.heart;
  layer l = {.type = layer_int8_type_for(net, heart, unit.residual != NO_NODE),
             .node = heart,
             .n_inputs = heart->n_inputs,
             .residual = NO_RESIDUAL,
             .channels = heart->channels,
             .finish = no_activation,
             .levels = true,
             .int8 = calloc(1, sizeof *l.int8)};
  if (!l.int8)
    return cam_fail(error, CAM_E_NO_MEMORY, "node \"%.60s\": no memory", last->name);
  l.int8->unit = unit;
  set_range(m, l.int8);
  for (int k = 0; k < heart->n_inputs; k++) {
    l.inputs[k] = GRAPH_INPUT;
    if (heart->inputs[k] >= 0)
      l.inputs[k] = m->at[heart->inputs[k]];
  }
  if (unit.residual != NO_NODE)
    l.residual = m->at[unit.residual];
  *out = &net->layers[net->n_layers++];
  **out = l;
  return CAM_OK;
}

/* The layer of a node, on its own or within one that is there. *out NULL: a part of a unit, which
 * the unit's last node makes. */
static cam_code make_layer(making *m, const cam_node *node, layer **out, cam_error *error) {
  *out = NULL;
  if (node->way == NODE_PART)
    return CAM_OK;
  if (node->way == NODE_INT8) {
    *out = fuse_table(m, node);
    if (!*out)
      return add_int8_layer(m, node, out, error);
    return CAM_OK;
  }
  *out = fuse_node(m, node);
  if (!*out)
    *out = add_layer(m, node);
  if (!*out)
    return cam_fail(error, CAM_E_MODEL, "node \"%.60s\": no layer computes \"%s\"", node->name,
                    op_name(node->op));
  return CAM_OK;
}

/* The layer that the head reads: levels, if it is computed in integers. */
static int features_of(making *m) {
  const cam_graph *graph = m->net->graph;
  const int input = graph->nodes[graph->head].inputs[0];
  if (input < 0)
    return GRAPH_INPUT;
  if (graph->int8_head)
    return m->at[input];
  return floats_of(m, input);
}

/* Layers of all nodes before the head. */
static cam_code make_layers(making *m, cam_error *error) {
  network *net = m->net;
  const cam_graph *graph = net->graph;
  const cam_node *head = &graph->nodes[graph->head], *last = &graph->nodes[graph->n_nodes - 1];
  for (int i = 0; i < graph->head; i++) {
    const cam_node *node = &graph->nodes[i];
    layer *l;
    cam_code code = make_layer(m, node, &l, error);
    if (code)
      return code;
    if (!l)
      continue;
    l->last = node;
    m->at[i] = (int)(l - net->layers);
    if (is_quantized(node) && !l->levels)
      m->at[i] = add_conversion(m, &layer_quantize, node, m->at[i]);
  }
  if (graph->method == CAM_METHOD_CAM && last != head) {
    net->fc_weight = last->weight;
    net->fc_bias = last->bias;
  }
  net->features = features_of(m);
  return CAM_OK;
}

/* ---- blocks: see block.c ---- */

/* Bytes of an expanded plane from which on a block is faster, or as fast. */
enum { LARGE_PLANE = 700 << 10, LARGE_LEVEL_PLANE = 1 << 20 };

static int layer_uses(const network *net, int index) {
  int n = net->features == index;
  for (int i = 0; i < net->n_layers; i++) {
    n += net->layers[i].residual == index;
    for (int k = 0; k < net->layers[i].n_inputs; k++)
      n += net->layers[i].inputs[k] == index;
  }
  return n;
}

/* Are the n layers from i on a chain whose planes in between nobody else reads? */
static bool is_chain(const network *net, int i, int n) {
  for (int k = i + 1; k < i + n; k++)
    if (net->layers[k].inputs[0] != k - 1 || layer_uses(net, k - 1) != 1)
      return false;
  return true;
}

/* Is what the depthwise part filters so large, at the input's own size, that a block is worth it?
 */
static bool is_large(const network *net, const layer *depthwise) {
  const cam_node *before = net->layers[depthwise->inputs[0]].last;
  if (net->blocks || !before)
    return net->blocks;
  const int *plane = net->shape[before - net->graph->nodes];
  const int64_t values = (int64_t)plane[0] * plane[1] * depthwise->channels;
  if (depthwise->levels)
    return values >= LARGE_LEVEL_PLANE;
  return values * (int64_t)sizeof(float) >= LARGE_PLANE;
}

/* Of what a block is made: of floats, or of levels. */
static bool is_pointwise_part(const layer *l) {
  return is_plain_product(l) || is_plain_product_int8(l);
}
static bool is_depthwise_part(const layer *l) {
  return l->type == &layer_depthwise || l->type == &layer_depthwise_int8;
}

/* How many layers from i on make a block that is worth it, 2 or 3; 1: none do. */
static int block_length(const network *net, int i) {
  const layer *l = &net->layers[i], *end = net->layers + net->n_layers;
  int expands = is_pointwise_part(l) && l->residual == NO_RESIDUAL && l->inputs[0] != GRAPH_INPUT;
  const layer *depthwise = l + expands, *project = depthwise + 1;
  if (depthwise >= end || !is_depthwise_part(depthwise) || depthwise->levels != l->levels ||
      !is_large(net, depthwise))
    return 1;
  int n = expands + 1;
  if (project < end && is_pointwise_part(project) && project->levels == l->levels &&
      is_chain(net, i, n + 1))
    return n + 1;
  if (is_chain(net, i, n))
    return n;
  return 1;
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

/* One layer out of the n layers at `parts`, which then belong to it. */
static cam_code make_block(const layer *parts, int n, layer *out, cam_error *error) {
  const layer *last = &parts[n - 1];
  *out = (layer){.type = &layer_block,
                 .node = last->node,
                 .last = last->last,
                 .n_inputs = 1,
                 .inputs = {parts[0].inputs[0]},
                 .residual = last->residual,
                 .channels = last->channels,
                 .levels = last->levels,
                 .parts = malloc((size_t)n * sizeof *parts)};
  if (!out->parts)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a block of %d layers", n);
  if (last->levels)
    out->type = &layer_block_int8;
  memcpy(out->parts, parts, (size_t)n * sizeof *parts);
  out->n_parts = n;
  return CAM_OK;
}

/* Do layers i and i + 1 make one product: an affine, and a 1x1 convolution that alone reads it? */
static bool is_scaled_product(const network *net, int i) {
  if (i + 1 >= net->n_layers)
    return false;
  const layer *l = &net->layers[i];
  return l->type == &layer_elementwise && is_affine_layer(l) && is_plain_product(l + 1) &&
         is_chain(net, i, 2);
}

/* The second of the two layers at `parts`, with the first before it. */
static cam_code make_scaled_product(const layer *parts, layer *out, cam_error *error) {
  *out = parts[1];
  out->before = malloc(sizeof *parts);
  if (!out->before)
    return cam_fail(error, CAM_E_NO_MEMORY, "no memory for a layer");
  *out->before = parts[0];
  out->n_inputs = parts[0].n_inputs;
  memcpy(out->inputs, parts[0].inputs, sizeof out->inputs);
  return CAM_OK;
}

/* Replaces the index of each layer that a layer reads by to[index]. The parts of a block keep
 * theirs: the block reads its first part's input and its last part's residual as its own. */
static void rename_layers(layer *layers, int n, const int *to) {
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < layers[i].n_inputs; k++)
      if (layers[i].inputs[k] >= 0)
        layers[i].inputs[k] = to[layers[i].inputs[k]];
    if (layers[i].residual >= 0)
      layers[i].residual = to[layers[i].residual];
  }
}

/* The new list, where the old one stays: what layers own is still the old one's. */
static void free_merged(layer *layers, int n) {
  for (int i = 0; i < n; i++) {
    free(layers[i].before);
    free(layers[i].parts);
  }
  free(layers);
}

/* Replaces each chain of layers that makes a block, or a product with what comes before it, by one
 * layer.
 *
 * The old list is read from front to back, and one layer written to the new list for each chain, or
 * for each layer that begins none. to[] says where an old layer went: a chain's layers all to their
 * block. The old list is left as it is until the new one is whole, since block_length looks at
 * layers behind and ahead by their old indices; then indices are renamed, once. Weights are packed
 * after this. */
static cam_code merge_layers(network *net, cam_error *error) {
  int *to = calloc((size_t)net->n_layers, sizeof *to), count = 0;
  layer *merged = calloc((size_t)net->n_layers, sizeof *merged);
  cam_code code = CAM_OK;
  if (!to || !merged)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", net->n_layers);
  for (int i = 0; i < net->n_layers && !code; count++) {
    int n = block_length(net, i);
    if (n > 1) {
      code = make_block(&net->layers[i], n, &merged[count], error);
    } else if (is_scaled_product(net, i)) {
      code = make_scaled_product(&net->layers[i], &merged[count], error);
      n = 2;
    } else {
      merged[count] = net->layers[i];
    }
    for (int end = i + n; i < end; i++)
      to[i] = count;
  }
  if (!code) {
    rename_layers(merged, count, to);
    free(net->layers);
    net->layers = merged;
    net->n_layers = count;
    net->features = to[net->features];
  } else if (merged) {
    free_merged(merged, count);
  }
  free(to);
  return code;
}

/* The last layer, if it is a convolution of stride 1 and nothing more, is linear, as is all after
 * it where that is a gap and an fc: tail.h does without its plane. */
static void leave_to_tail(network *net) {
  if (net->apart || net->graph->int8_head || !net->fc_weight || net->features == GRAPH_INPUT ||
      net->features != net->n_layers - 1)
    return;
  const layer *l = &net->layers[net->features];
  const cam_node *node = l->node;
  bool nothing_more = l->residual == NO_RESIDUAL && !l->pool && !is_activation(&l->finish);
  if (l->int8 || l->type == &layer_dequantize || node->op != OP_CONV || !nothing_more ||
      l->inputs[0] == GRAPH_INPUT || node->stride[0] != 1 || node->stride[1] != 1)
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
  /* At most a layer a node, two conversions of its plane, and the padded picture. */
  net->layers = calloc(3 * (size_t)graph->n_nodes + 1, sizeof *net->layers);
  net->shape = calloc((size_t)graph->n_nodes, sizeof *net->shape);
  making m = {net, calloc((size_t)graph->n_nodes, sizeof(int)),
              malloc((size_t)graph->n_nodes * sizeof(int)), -1};
  cam_code code;
  if (net->layers && net->shape && m.at && m.floats)
    code = graph_shapes(graph, graph->height, graph->width, net->shape, error);
  else
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %d layers", graph->n_nodes);
  for (int i = 0; i < graph->n_nodes && m.floats; i++)
    m.floats[i] = -1;
  if (!code)
    code = make_layers(&m, error);
  free(m.at);
  free(m.floats);
  if (code)
    return code;
  leave_to_tail(net);
  if (net->features == GRAPH_INPUT)
    return cam_fail(error, CAM_E_MODEL, "the head reads the picture itself");
  if (!net->apart)
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
