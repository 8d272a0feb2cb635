/* fuse.c - fuse.h. Flow: graph -> [fuse] -> merge -> network. Thread: loading. */
#include "fuse.h"
#include "layers.h"
#include <math.h>
#include <stdlib.h>

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

/* ---- the last layer ---- */

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

cam_code fuse_nodes(network *net, cam_error *error) {
  const size_t nodes = (size_t)net->graph->n_nodes;
  /* At most a layer a node, two conversions of its plane, and the padded picture. */
  net->layers = calloc(3 * nodes + 1, sizeof *net->layers);
  making m = {net, calloc(nodes, sizeof *m.at), malloc(nodes * sizeof *m.floats), -1};
  cam_code code = CAM_OK;
  if (!net->layers || !m.at || !m.floats)
    code = cam_fail(error, CAM_E_NO_MEMORY, "no memory for %zu layers", nodes);
  for (size_t i = 0; i < nodes && !code; i++)
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
  return CAM_OK;
}
